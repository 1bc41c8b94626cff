-- Promotions with their codes, hidden ticket types, and displayed prices.

-- `terms` has the attributes that no column has. `event_id` is null for promotions of all events. Limits are checked by
-- the batches that claim uses, under the row's lock. A promotion with `deleted_at` is not shown any more, belongs to no
-- event, and is purged: first its codes, then their uses, then the promotion.
CREATE TABLE promotions (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    event_id    BLOB,
    enabled     INTEGER NOT NULL,
    valid_until INTEGER,
    terms       TEXT NOT NULL,
    codes       INTEGER NOT NULL DEFAULT 0,
    uses        INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    deleted_at  INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events
) STRICT;
CREATE INDEX promotions_created ON promotions (tenant_id, created_at, id);
CREATE INDEX promotions_event ON promotions (tenant_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX promotions_deleted ON promotions (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;

-- `kept` is the number of units that are kept now; the other columns of kept units never change. A new code takes the row of
-- a deleted promotion's code.
CREATE TABLE promotion_codes (
    tenant_id      BLOB NOT NULL,
    code           TEXT NOT NULL,
    promotion_id   BLOB NOT NULL,
    uses           INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0),
    kept           INTEGER NOT NULL DEFAULT 0 CHECK (kept >= 0),
    kept_type_id   BLOB,
    kept_event_id  BLOB,
    kept_pools     TEXT,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, code),
    FOREIGN KEY (tenant_id, promotion_id) REFERENCES promotions
) STRICT;
CREATE INDEX promotion_codes_promotion ON promotion_codes (tenant_id, promotion_id, code);
CREATE INDEX promotion_codes_kept ON promotion_codes (tenant_id, promotion_id) WHERE kept > 0;
CREATE INDEX promotion_codes_kept_event ON promotion_codes (tenant_id, kept_event_id) WHERE kept > 0;

-- The uses of held and confirmed reservations. They are deleted with their promotion, not with the event.
CREATE TABLE code_uses (
    tenant_id      BLOB NOT NULL,
    reservation_id BLOB NOT NULL,
    code           TEXT NOT NULL,
    promotion_id   BLOB NOT NULL,
    buyer          TEXT NOT NULL,
    PRIMARY KEY (tenant_id, reservation_id, code)
) STRICT;
CREATE INDEX code_uses_buyer ON code_uses (tenant_id, promotion_id, buyer);

-- Uses of codes, each with the units that the code had kept, and when the code was created.
ALTER TABLE reservations ADD COLUMN codes TEXT NOT NULL DEFAULT '[]';

-- `reservations` is the number of a quote's reservations that are held or confirmed. `unused_since` is when the last of them
-- ended, or the quote's own end if that is later; the quote is deleted some time after that.
ALTER TABLE quotes ADD COLUMN reservations INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quotes ADD COLUMN unused_since INTEGER;
UPDATE quotes SET reservations = live.count FROM
 (SELECT tenant_id, quote_id, COUNT(*) AS count FROM reservations
  WHERE quote_id IS NOT NULL AND state IN ('held', 'confirmed') GROUP BY tenant_id, quote_id) AS live
 WHERE quotes.tenant_id = live.tenant_id AND quotes.id = live.quote_id;
UPDATE quotes SET unused_since = expires_at WHERE reserved AND reservations = 0;
CREATE INDEX quotes_unused ON quotes (unused_since) WHERE unused_since IS NOT NULL;

ALTER TABLE ticket_types ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

-- Prices as they were last displayed. `content` has those of the event's ticket types with their reasons.
CREATE TABLE displayed_prices (
    tenant_id   BLOB NOT NULL,
    event_id    BLOB NOT NULL,
    content     TEXT NOT NULL,
    computed_at INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, event_id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events ON DELETE CASCADE
) STRICT;
CREATE INDEX displayed_prices_computed ON displayed_prices (tenant_id, computed_at);

-- Pricing rules and quotes, prices of categories of buyers, and installations for one event.

-- `terms` has the attributes that no column has. `event_id` is null for rules of all events.
CREATE TABLE pricing_rules (
    tenant_id  BLOB NOT NULL,
    id         BLOB NOT NULL,
    event_id   BLOB,
    kind       TEXT NOT NULL CHECK (kind IN ('surcharge', 'discount', 'fee', 'tax')),
    enabled    INTEGER NOT NULL,
    terms      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events ON DELETE CASCADE
) STRICT;
CREATE INDEX pricing_rules_created ON pricing_rules (tenant_id, created_at, id);
CREATE INDEX pricing_rules_event ON pricing_rules (tenant_id, event_id) WHERE event_id IS NOT NULL;

-- A quote that no reservation refers to is open, and is deleted after its end.
CREATE TABLE quotes (
    tenant_id  BLOB NOT NULL,
    id         BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    buyer      TEXT NOT NULL,
    reserved   INTEGER NOT NULL DEFAULT 0,
    content    TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX quotes_event ON quotes (tenant_id, event_id);
CREATE INDEX quotes_open ON quotes (tenant_id, expires_at) WHERE NOT reserved;
CREATE INDEX quotes_expires ON quotes (expires_at) WHERE NOT reserved;

ALTER TABLE reservations ADD COLUMN quote_id BLOB;

-- Prices in minor units by category of buyers.
ALTER TABLE ticket_types ADD COLUMN category_prices TEXT NOT NULL DEFAULT '{}';

-- Without a foreign key, because SQLite adds none of two columns to a table. Deletion of an event deletes its installations.
ALTER TABLE installations ADD COLUMN event_id BLOB CHECK (event_id IS NULL OR project_id IS NULL);
CREATE INDEX installations_event ON installations (tenant_id, event_id) WHERE event_id IS NOT NULL;
DROP INDEX installations_scope;
CREATE UNIQUE INDEX installations_scope ON installations
    (tenant_id, plugin, COALESCE(project_id, event_id, x'00000000000000000000000000000000'));

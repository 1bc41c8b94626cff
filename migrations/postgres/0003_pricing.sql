-- Pricing rules and quotes, prices of categories of buyers, and installations for one event.

-- `terms` has the attributes that no column has. `event_id` is null for rules of all events.
CREATE TABLE pricing_rules (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    event_id   uuid,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('surcharge', 'discount', 'fee', 'tax')),
    enabled    boolean NOT NULL,
    terms      jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events ON DELETE CASCADE
);
CREATE INDEX pricing_rules_created ON pricing_rules (tenant_id, created_at, id);
CREATE INDEX pricing_rules_event ON pricing_rules (tenant_id, event_id) WHERE event_id IS NOT NULL;

-- A quote that no reservation refers to is open, and is deleted after its end.
CREATE TABLE quotes (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    event_id   uuid NOT NULL,
    buyer      text COLLATE "C" NOT NULL,
    reserved   boolean NOT NULL DEFAULT FALSE,
    content    jsonb NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, vacuum_truncate = off);
CREATE INDEX quotes_event ON quotes (tenant_id, event_id);
CREATE INDEX quotes_open ON quotes (tenant_id, expires_at) WHERE NOT reserved;
CREATE INDEX quotes_expires ON quotes (expires_at) WHERE NOT reserved;

ALTER TABLE reservations ADD COLUMN quote_id uuid;

-- Prices in minor units by category of buyers.
ALTER TABLE ticket_types ADD COLUMN category_prices jsonb NOT NULL DEFAULT '{}';

ALTER TABLE installations
    ADD COLUMN event_id uuid,
    ADD FOREIGN KEY (tenant_id, event_id) REFERENCES events ON DELETE CASCADE,
    ADD CHECK (event_id IS NULL OR project_id IS NULL);
CREATE INDEX installations_event ON installations (tenant_id, event_id) WHERE event_id IS NOT NULL;
DROP INDEX installations_scope;
CREATE UNIQUE INDEX installations_scope ON installations
    (tenant_id, plugin, COALESCE(project_id, event_id, '00000000-0000-0000-0000-000000000000'::uuid));

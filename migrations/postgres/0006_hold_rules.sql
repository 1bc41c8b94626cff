-- How long reservations of a tenant are held where their event does not say.
CREATE TABLE hold_rules (
    tenant_id  uuid PRIMARY KEY,
    usual      bigint,
    least      bigint,
    most       bigint,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

-- How long reservations of a tenant are held where their event does not say.
CREATE TABLE hold_rules (
    tenant_id  BLOB PRIMARY KEY NOT NULL,
    usual      INTEGER,
    least      INTEGER,
    most       INTEGER,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT;

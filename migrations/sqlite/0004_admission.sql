-- Tickets, the keys that sign their codes, and who came in.

-- `serial` is the number of the code that is good; `revoked_at` says since when other codes of it are void.
CREATE TABLE tickets (
    tenant_id      BLOB NOT NULL,
    id             BLOB NOT NULL,
    event_id       BLOB NOT NULL,
    reservation_id BLOB NOT NULL,
    ticket_type_id BLOB NOT NULL,
    seat_id        BLOB,
    seat           TEXT,
    amount         INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    holder         TEXT NOT NULL,
    state          TEXT NOT NULL DEFAULT 'valid' CHECK (state IN ('valid', 'cancelled')),
    serial         INTEGER NOT NULL DEFAULT 1 CHECK (serial BETWEEN 1 AND 65535),
    code_since     INTEGER NOT NULL,
    cancelled_at   INTEGER,
    revoked_at     INTEGER,
    entries        INTEGER NOT NULL DEFAULT 0 CHECK (entries >= 0),
    inside         INTEGER NOT NULL DEFAULT 0,
    last_at        INTEGER,
    last_gate      TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    version        INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL))
) STRICT;
CREATE INDEX tickets_created ON tickets (tenant_id, created_at, id);
CREATE INDEX tickets_event ON tickets (tenant_id, event_id, created_at, id);
CREATE INDEX tickets_reservation ON tickets (tenant_id, reservation_id);
CREATE INDEX tickets_holder ON tickets (tenant_id, holder, created_at);
CREATE INDEX tickets_revoked ON tickets (tenant_id, event_id, revoked_at, id) WHERE revoked_at IS NOT NULL;

-- The private half of a key is sealed with the hosts' secret.
CREATE TABLE signing_keys (
    tenant_id  BLOB NOT NULL,
    number     INTEGER NOT NULL CHECK (number BETWEEN 1 AND 65535),
    public     BLOB NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, number)
) STRICT;

-- A scan that a device reports twice is one: it has a nonce.
CREATE TABLE check_ins (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    event_id    BLOB NOT NULL,
    ticket_id   BLOB NOT NULL,
    direction   TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    verdict     TEXT NOT NULL CHECK (verdict IN ('accepted', 'duplicate', 'stray', 'void')),
    at          INTEGER NOT NULL,
    gate        TEXT NOT NULL,
    device      TEXT NOT NULL,
    staff       TEXT NOT NULL,
    nonce       TEXT,
    serial      INTEGER,
    created_by  TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    undone_by   TEXT,
    undone_at   INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets,
    CHECK ((undone_by IS NULL) = (undone_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX check_ins_nonce ON check_ins (tenant_id, event_id, device, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX check_ins_ticket ON check_ins (tenant_id, ticket_id);
CREATE INDEX check_ins_event ON check_ins (tenant_id, event_id, at, id);

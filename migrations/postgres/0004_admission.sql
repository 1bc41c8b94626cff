-- Tickets, the keys that sign their codes, and who came in.

-- `serial` is the number of the code that is good; `revoked_at` says since when other codes of it are void.
CREATE TABLE tickets (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    event_id       uuid NOT NULL,
    reservation_id uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    seat_id        uuid,
    seat           text COLLATE "C",
    amount         bigint NOT NULL,
    currency       text COLLATE "C" NOT NULL,
    holder         text COLLATE "C" NOT NULL,
    state          text COLLATE "C" NOT NULL DEFAULT 'valid' CHECK (state IN ('valid', 'cancelled')),
    serial         bigint NOT NULL DEFAULT 1 CHECK (serial BETWEEN 1 AND 65535),
    code_since     timestamptz NOT NULL,
    cancelled_at   timestamptz,
    revoked_at     timestamptz,
    entries        bigint NOT NULL DEFAULT 0 CHECK (entries >= 0),
    inside         boolean NOT NULL DEFAULT FALSE,
    last_at        timestamptz,
    last_gate      text COLLATE "C",
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX tickets_created ON tickets (tenant_id, created_at, id);
CREATE INDEX tickets_event ON tickets (tenant_id, event_id, created_at, id);
CREATE INDEX tickets_reservation ON tickets (tenant_id, reservation_id);
CREATE INDEX tickets_holder ON tickets (tenant_id, holder, created_at);
CREATE INDEX tickets_revoked ON tickets (tenant_id, event_id, revoked_at, id) WHERE revoked_at IS NOT NULL;

-- The private half of a key is sealed with the hosts' secret.
CREATE TABLE signing_keys (
    tenant_id  uuid NOT NULL,
    number     bigint NOT NULL CHECK (number BETWEEN 1 AND 65535),
    public     bytea NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, number)
);

-- A scan that a device reports twice is one: it has a nonce.
CREATE TABLE check_ins (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    event_id    uuid NOT NULL,
    ticket_id   uuid NOT NULL,
    direction   text COLLATE "C" NOT NULL CHECK (direction IN ('in', 'out')),
    verdict     text COLLATE "C" NOT NULL CHECK (verdict IN ('accepted', 'duplicate', 'stray', 'void')),
    at          timestamptz NOT NULL,
    gate        text COLLATE "C" NOT NULL,
    device      text COLLATE "C" NOT NULL,
    staff       text COLLATE "C" NOT NULL,
    nonce       text COLLATE "C",
    serial      bigint,
    created_by  text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL,
    undone_by   text COLLATE "C",
    undone_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets,
    CHECK ((undone_by IS NULL) = (undone_at IS NULL))
);
CREATE UNIQUE INDEX check_ins_nonce ON check_ins (tenant_id, event_id, device, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX check_ins_ticket ON check_ins (tenant_id, ticket_id);
CREATE INDEX check_ins_event ON check_ins (tenant_id, event_id, at, id);

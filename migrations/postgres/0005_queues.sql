-- Queues before events' sales. An event without a row has a queue on the usual terms.

CREATE TABLE queues (
    tenant_id  uuid NOT NULL,
    event_id   uuid NOT NULL,
    served     bigint NOT NULL CHECK (served > 0),
    seconds    bigint NOT NULL CHECK (seconds > 0),
    required   boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, event_id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events
);

CREATE TABLE bookings (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    event_id       uuid NOT NULL,
    buyer          text COLLATE "C" NOT NULL,
    lines          jsonb NOT NULL,
    wants          boolean NOT NULL,
    hold_seconds   bigint,
    state          text COLLATE "C" NOT NULL
        CHECK (state IN ('waiting', 'active', 'done', 'failed', 'cancelled', 'expired')),
    entered_at     timestamptz NOT NULL,
    active_at      timestamptz,
    active_until   timestamptz,
    reservation_id uuid,
    failure        jsonb,
    created_by     text COLLATE "C" NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events,
    CHECK (state <> 'active' OR (active_at IS NOT NULL AND active_until IS NOT NULL))
);
-- A buyer has one place in an event's queue.
CREATE UNIQUE INDEX bookings_buyer ON bookings (tenant_id, event_id, buyer) WHERE state IN ('waiting', 'active');
CREATE INDEX bookings_waiting ON bookings (tenant_id, event_id, entered_at, id) WHERE state = 'waiting';
CREATE INDEX bookings_active ON bookings (tenant_id, event_id, active_until) WHERE state = 'active';
CREATE INDEX bookings_event ON bookings (tenant_id, event_id);

-- Queues before events' sales. An event without a row has a queue on the usual terms.

CREATE TABLE queues (
    tenant_id  BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    served     INTEGER NOT NULL CHECK (served > 0),
    seconds    INTEGER NOT NULL CHECK (seconds > 0),
    required   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, event_id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events
) STRICT;

CREATE TABLE bookings (
    tenant_id      BLOB NOT NULL,
    id             BLOB NOT NULL,
    event_id       BLOB NOT NULL,
    buyer          TEXT NOT NULL,
    lines          TEXT NOT NULL,
    wants          INTEGER NOT NULL,
    hold_seconds   INTEGER,
    state          TEXT NOT NULL
        CHECK (state IN ('waiting', 'active', 'done', 'failed', 'cancelled', 'expired')),
    entered_at     INTEGER NOT NULL,
    active_at      INTEGER,
    active_until   INTEGER,
    reservation_id BLOB,
    failure        TEXT,
    created_by     TEXT NOT NULL,
    updated_at     INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events,
    CHECK (state <> 'active' OR (active_at IS NOT NULL AND active_until IS NOT NULL))
) STRICT;
-- A buyer has one place in an event's queue.
CREATE UNIQUE INDEX bookings_buyer ON bookings (tenant_id, event_id, buyer) WHERE state IN ('waiting', 'active');
CREATE INDEX bookings_waiting ON bookings (tenant_id, event_id, entered_at, id) WHERE state = 'waiting';
CREATE INDEX bookings_active ON bookings (tenant_id, event_id, active_until) WHERE state = 'active';
CREATE INDEX bookings_event ON bookings (tenant_id, event_id);

-- Events: venues, series, events, ticket types, and what is left of them. Every event and every ticket type has
-- a pool with its own id; all pools of an event are locked together, in the order of their ids.

-- The event for which a fact happened.
ALTER TABLE facts ADD COLUMN event_id BLOB;

CREATE TABLE venues (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    name        TEXT NOT NULL,
    address     TEXT NOT NULL,
    city        TEXT NOT NULL,
    state       TEXT,
    country     TEXT NOT NULL,
    postal_code TEXT,
    latitude    INTEGER,
    longitude   INTEGER,
    capacity    INTEGER,
    amenities   TEXT NOT NULL,
    time_zone   TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX venues_created ON venues (tenant_id, created_at, id);
CREATE INDEX venues_updated ON venues (tenant_id, updated_at, id);
CREATE INDEX venues_name ON venues (tenant_id, name, id);

CREATE TABLE series (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX series_created ON series (tenant_id, created_at, id);
CREATE INDEX series_updated ON series (tenant_id, updated_at, id);
CREATE INDEX series_name ON series (tenant_id, name, id);

-- `unswept`: it was cancelled, and holds or tickets of it may still have to be ended.
CREATE TABLE events (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    venue_id    BLOB,
    series_id   BLOB,
    title       TEXT NOT NULL,
    description TEXT NOT NULL,
    category    TEXT NOT NULL,
    starts_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    time_zone   TEXT NOT NULL,
    status      TEXT NOT NULL,
    featured    INTEGER NOT NULL,
    image_url   TEXT,
    hold_usual  INTEGER,
    hold_least  INTEGER,
    hold_most   INTEGER,
    buyer_limit INTEGER,
    reentry     INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    unswept     INTEGER NOT NULL DEFAULT 0,
    deleted_at  INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, venue_id) REFERENCES venues,
    FOREIGN KEY (tenant_id, series_id) REFERENCES series
) STRICT;
CREATE INDEX events_starts ON events (tenant_id, starts_at, id);
CREATE INDEX events_created ON events (tenant_id, created_at, id);
CREATE INDEX events_updated ON events (tenant_id, updated_at, id);
CREATE INDEX events_title ON events (tenant_id, title, id);
CREATE INDEX events_category ON events (tenant_id, category);
CREATE INDEX events_venue ON events (tenant_id, venue_id) WHERE venue_id IS NOT NULL;
CREATE INDEX events_series ON events (tenant_id, series_id) WHERE series_id IS NOT NULL;
CREATE INDEX events_unswept ON events (tenant_id, id) WHERE unswept;
CREATE INDEX events_deleted ON events (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX events_running ON events (ends_at) WHERE status = 'active';

CREATE TABLE ticket_types (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    event_id    BLOB NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    least       INTEGER NOT NULL,
    most        INTEGER NOT NULL,
    valid_from  INTEGER,
    valid_until INTEGER,
    status      TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    pools       TEXT NOT NULL,
    seated      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events
) STRICT;
CREATE INDEX ticket_types_event ON ticket_types (tenant_id, event_id, id);

-- Without a capacity a pool sets no bound. What is in use is never more than there is.
CREATE TABLE pools (
    tenant_id  BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    id         BLOB NOT NULL,
    sort       TEXT NOT NULL,
    name       TEXT NOT NULL,
    capacity   INTEGER CHECK (capacity >= 0),
    held       INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold       INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
    locked     INTEGER NOT NULL DEFAULT 0 CHECK (locked >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events,
    CONSTRAINT pools_not_oversold CHECK (held + sold + locked <= capacity)
) STRICT;
CREATE INDEX pools_event ON pools (tenant_id, event_id, id);

CREATE TABLE pool_locks (
    tenant_id  BLOB NOT NULL,
    id         BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    pool_id    BLOB NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    reason     TEXT NOT NULL,
    until      INTEGER,
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, pool_id) REFERENCES pools
) STRICT;
CREATE INDEX pool_locks_event ON pool_locks (tenant_id, event_id, id);
CREATE INDEX pool_locks_until ON pool_locks (until) WHERE until IS NOT NULL;

-- `quantity` counts the units that are still in it.
CREATE TABLE reservations (
    tenant_id         BLOB NOT NULL,
    id                BLOB NOT NULL,
    event_id          BLOB NOT NULL,
    buyer             TEXT NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('held', 'confirmed', 'released', 'expired')),
    quantity          INTEGER NOT NULL CHECK (quantity >= 0),
    lines             TEXT NOT NULL,
    units             TEXT NOT NULL,
    payment_reference TEXT,
    created_by        TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX reservations_created ON reservations (tenant_id, created_at, id);
CREATE INDEX reservations_event ON reservations (tenant_id, event_id, created_at, id);
CREATE INDEX reservations_buyer ON reservations (tenant_id, buyer, event_id) WHERE state IN ('held', 'confirmed');
CREATE INDEX reservations_due ON reservations (expires_at, tenant_id, event_id) WHERE state = 'held';

-- A seat is one unit's, or nobody's. `place` orders rows and numbers.
CREATE TABLE seats (
    tenant_id      BLOB NOT NULL,
    ticket_type_id BLOB NOT NULL,
    id             BLOB NOT NULL,
    event_id       BLOB NOT NULL,
    seat_row       TEXT NOT NULL,
    number         INTEGER NOT NULL,
    label          TEXT NOT NULL,
    place          TEXT NOT NULL,
    unit_id        BLOB,
    reservation_id BLOB,
    PRIMARY KEY (tenant_id, ticket_type_id, id),
    FOREIGN KEY (tenant_id, ticket_type_id) REFERENCES ticket_types ON DELETE CASCADE,
    UNIQUE (tenant_id, ticket_type_id, label),
    UNIQUE (tenant_id, ticket_type_id, seat_row, number),
    CHECK ((unit_id IS NULL) = (reservation_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX seats_unit ON seats (tenant_id, unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX seats_reservation ON seats (tenant_id, reservation_id) WHERE reservation_id IS NOT NULL;
CREATE INDEX seats_place ON seats (tenant_id, ticket_type_id, place, id);
CREATE INDEX seats_free ON seats (tenant_id, ticket_type_id, place) WHERE unit_id IS NULL;

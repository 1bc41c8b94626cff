-- Events: venues, series, events, ticket types, and what is left of them. Every event and every ticket type has
-- a pool with its own id; all pools of an event are locked together, in the order of their ids.

-- The event for which a fact happened.
ALTER TABLE facts ADD COLUMN event_id uuid;

CREATE TABLE venues (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    name        text COLLATE "C" NOT NULL,
    address     text COLLATE "C" NOT NULL,
    city        text COLLATE "C" NOT NULL,
    state       text COLLATE "C",
    country     text COLLATE "C" NOT NULL,
    postal_code text COLLATE "C",
    latitude    bigint,
    longitude   bigint,
    capacity    bigint,
    amenities   jsonb NOT NULL,
    time_zone   text COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX venues_created ON venues (tenant_id, created_at, id);
CREATE INDEX venues_updated ON venues (tenant_id, updated_at, id);
CREATE INDEX venues_name ON venues (tenant_id, name, id);

CREATE TABLE series (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    name        text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX series_created ON series (tenant_id, created_at, id);
CREATE INDEX series_updated ON series (tenant_id, updated_at, id);
CREATE INDEX series_name ON series (tenant_id, name, id);

-- `unswept`: it was cancelled, and holds or tickets of it may still have to be ended.
CREATE TABLE events (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    venue_id    uuid,
    series_id   uuid,
    title       text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    category    text COLLATE "C" NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    time_zone   text COLLATE "C" NOT NULL,
    status      text COLLATE "C" NOT NULL,
    featured    boolean NOT NULL,
    image_url   text COLLATE "C",
    hold_usual  bigint,
    hold_least  bigint,
    hold_most   bigint,
    buyer_limit bigint,
    reentry     boolean NOT NULL,
    created_by  text COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL,
    unswept     boolean NOT NULL DEFAULT FALSE,
    deleted_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, venue_id) REFERENCES venues,
    FOREIGN KEY (tenant_id, series_id) REFERENCES series
);
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
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    event_id    uuid NOT NULL,
    name        text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    amount      bigint NOT NULL,
    currency    text COLLATE "C" NOT NULL,
    least       bigint NOT NULL,
    most        bigint NOT NULL,
    valid_from  timestamptz,
    valid_until timestamptz,
    status      text COLLATE "C" NOT NULL,
    metadata    jsonb NOT NULL,
    pools       jsonb NOT NULL,
    seated      boolean NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events
);
CREATE INDEX ticket_types_event ON ticket_types (tenant_id, event_id, id);

-- Without a capacity a pool sets no bound. What is in use is never more than there is.
CREATE TABLE pools (
    tenant_id  uuid NOT NULL,
    event_id   uuid NOT NULL,
    id         uuid NOT NULL,
    sort       text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    capacity   bigint CHECK (capacity >= 0),
    held       bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold       bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    locked     bigint NOT NULL DEFAULT 0 CHECK (locked >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES events,
    CONSTRAINT pools_not_oversold CHECK (held + sold + locked <= capacity)
) WITH (fillfactor = 50);
CREATE INDEX pools_event ON pools (tenant_id, event_id, id);

CREATE TABLE pool_locks (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    event_id   uuid NOT NULL,
    pool_id    uuid NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity > 0),
    reason     text COLLATE "C" NOT NULL,
    until      timestamptz,
    created_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, pool_id) REFERENCES pools
);
CREATE INDEX pool_locks_event ON pool_locks (tenant_id, event_id, id);
CREATE INDEX pool_locks_until ON pool_locks (until) WHERE until IS NOT NULL;

-- `quantity` counts the units that are still in it.
CREATE TABLE reservations (
    tenant_id         uuid NOT NULL,
    id                uuid NOT NULL,
    event_id          uuid NOT NULL,
    buyer             text COLLATE "C" NOT NULL,
    state             text COLLATE "C" NOT NULL CHECK (state IN ('held', 'confirmed', 'released', 'expired')),
    quantity          bigint NOT NULL CHECK (quantity >= 0),
    lines             jsonb NOT NULL,
    units             jsonb NOT NULL,
    payment_reference text COLLATE "C",
    created_by        text COLLATE "C" NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    version           bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX reservations_created ON reservations (tenant_id, created_at, id);
CREATE INDEX reservations_event ON reservations (tenant_id, event_id, created_at, id);
CREATE INDEX reservations_buyer ON reservations (tenant_id, buyer, event_id) WHERE state IN ('held', 'confirmed');
CREATE INDEX reservations_due ON reservations (expires_at, tenant_id, event_id) WHERE state = 'held';

-- A seat is one unit's, or nobody's. `place` orders rows and numbers.
CREATE TABLE seats (
    tenant_id      uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    id             uuid NOT NULL,
    event_id       uuid NOT NULL,
    seat_row       text COLLATE "C" NOT NULL,
    number         bigint NOT NULL,
    label          text COLLATE "C" NOT NULL,
    place          text COLLATE "C" NOT NULL,
    unit_id        uuid,
    reservation_id uuid,
    PRIMARY KEY (tenant_id, ticket_type_id, id),
    FOREIGN KEY (tenant_id, ticket_type_id) REFERENCES ticket_types ON DELETE CASCADE,
    UNIQUE (tenant_id, ticket_type_id, label),
    UNIQUE (tenant_id, ticket_type_id, seat_row, number),
    CHECK ((unit_id IS NULL) = (reservation_id IS NULL))
);
CREATE UNIQUE INDEX seats_unit ON seats (tenant_id, unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX seats_reservation ON seats (tenant_id, reservation_id) WHERE reservation_id IS NOT NULL;
CREATE INDEX seats_place ON seats (tenant_id, ticket_type_id, place, id);
CREATE INDEX seats_free ON seats (tenant_id, ticket_type_id, place) WHERE unit_id IS NULL;

-- Baseline of the schema on SQLite. Later changes are new files beside this one.
--
-- Every key begins with the tenant, as on PostgreSQL. Only the host's own tables (leases, hosts, the head of
-- the facts) have none. Text is compared by bytes, ids are 16 bytes, times are microseconds since 1970.

-- Tenants and keys.

CREATE TABLE tenants (
    tenant_id  BLOB NOT NULL PRIMARY KEY,
    slug       TEXT NOT NULL,
    name       TEXT NOT NULL,
    state      TEXT NOT NULL,
    -- Generation of the tenant's installations: counts their changes.
    plugins    INTEGER NOT NULL DEFAULT 0,
    plugin_limits TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);
CREATE INDEX tenants_created ON tenants (created_at, tenant_id);

-- The tenant of a request is read from its key, so key ids are unique among all tenants.
CREATE TABLE api_keys (
    tenant_id  BLOB NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    roles      TEXT NOT NULL,
    user_id    BLOB,
    hash       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX api_keys_id ON api_keys (id);
CREATE INDEX api_keys_created ON api_keys (tenant_id, created_at, id);

-- Tracker.

CREATE TABLE users (
    tenant_id    BLOB NOT NULL,
    id           BLOB NOT NULL,
    first_name   TEXT NOT NULL,
    last_name    TEXT NOT NULL,
    email        TEXT NOT NULL,
    first_folded TEXT NOT NULL,
    last_folded  TEXT NOT NULL,
    email_folded TEXT NOT NULL,
    search       TEXT NOT NULL,
    is_active    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    deleted_at   INTEGER,
    deleted_by   BLOB,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX users_email ON users (tenant_id, email_folded) WHERE deleted_at IS NULL;
CREATE INDEX users_created ON users (tenant_id, created_at, id);
CREATE INDEX users_updated ON users (tenant_id, updated_at, id);
CREATE INDEX users_last_name ON users (tenant_id, last_folded, id);
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE projects (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    scheme      TEXT,
    -- Generation of installations at which the project's state machines last changed.
    machines    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    deleted_at  INTEGER,
    deleted_by  BLOB,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX projects_created ON projects (tenant_id, created_at, id);
CREATE INDEX projects_updated ON projects (tenant_id, updated_at, id);
CREATE INDEX projects_name ON projects (tenant_id, name, id);
CREATE INDEX projects_deleted ON projects (tenant_id, id) WHERE deleted_at IS NOT NULL;

-- A project's issue count is the sum of up to 16 rows, so that concurrent creations rarely lock the same row.
-- The last byte of an issue's id selects its row.
CREATE TABLE project_counts (
    tenant_id  BLOB NOT NULL,
    project_id BLOB NOT NULL,
    slot       INTEGER NOT NULL,
    issues     INTEGER NOT NULL CHECK (issues >= 0),
    PRIMARY KEY (tenant_id, project_id, slot),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE issues (
    tenant_id   BLOB NOT NULL,
    id          BLOB NOT NULL,
    project_id  BLOB NOT NULL,
    kind        TEXT NOT NULL,
    summary     TEXT NOT NULL,
    description TEXT,
    status      TEXT NOT NULL,
    resolution  TEXT,
    issue_type  TEXT NOT NULL,
    priority    TEXT NOT NULL,
    assignee_id BLOB,
    reporter_id BLOB,
    parent_id   BLOB,
    parent_at   INTEGER,
    labels      TEXT NOT NULL,
    fields      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects,
    FOREIGN KEY (tenant_id, assignee_id) REFERENCES users
) STRICT;
CREATE INDEX issues_created ON issues (tenant_id, created_at, id);
CREATE INDEX issues_modified ON issues (tenant_id, modified_at, id);
CREATE INDEX issues_summary ON issues (tenant_id, summary, id);
CREATE INDEX issues_project ON issues (tenant_id, project_id, created_at, id);
CREATE INDEX issues_assignee ON issues (tenant_id, assignee_id, created_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX issues_status ON issues (tenant_id, status, created_at, id);
CREATE INDEX issues_parent ON issues (tenant_id, parent_id, id) WHERE parent_id IS NOT NULL;

-- Copy of `issues.labels` for filters.
CREATE TABLE issue_labels (
    tenant_id BLOB NOT NULL,
    issue_id  BLOB NOT NULL,
    label     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, label),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_labels_label ON issue_labels (tenant_id, label, issue_id);

CREATE TABLE comments (
    tenant_id    BLOB NOT NULL,
    issue_id     BLOB NOT NULL,
    id           BLOB NOT NULL,
    author_kind  TEXT NOT NULL,
    author_id    TEXT NOT NULL,
    author_user  BLOB,
    body         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    edited_at    INTEGER,
    version      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, id),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE
) STRICT;
CREATE INDEX comments_created ON comments (tenant_id, issue_id, created_at, id);

CREATE TABLE issue_links (
    tenant_id  BLOB NOT NULL,
    issue_id   BLOB NOT NULL,
    relation   TEXT NOT NULL,
    other_id   BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, relation, other_id),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, other_id) REFERENCES issues ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_links_other ON issue_links (tenant_id, other_id);

CREATE TABLE watchers (
    tenant_id BLOB NOT NULL,
    issue_id  BLOB NOT NULL,
    user_id   BLOB NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, user_id),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX watchers_user ON watchers (tenant_id, user_id, issue_id);

-- The writer assigns `seq`, which is the row id: facts are stored in the order of their numbers.
CREATE TABLE facts (
    seq            INTEGER PRIMARY KEY,
    tenant_id      BLOB NOT NULL,
    id             BLOB NOT NULL,
    fact_type      TEXT NOT NULL,
    object_kind    TEXT NOT NULL,
    object_id      TEXT NOT NULL,
    object_version INTEGER NOT NULL,
    project_id     BLOB,
    event_id       BLOB,
    at             INTEGER NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       TEXT NOT NULL,
    actor_user     BLOB,
    transport      TEXT NOT NULL,
    request_id     TEXT NOT NULL,
    cause          BLOB,
    release        TEXT,
    changes        TEXT NOT NULL
) STRICT;
CREATE INDEX facts_tenant ON facts (tenant_id, seq);
CREATE INDEX facts_object ON facts (tenant_id, object_kind, object_id, object_version, id);
CREATE INDEX facts_at ON facts (at, seq);

-- Number of the newest numbered fact; one row.
CREATE TABLE facts_head (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO facts_head (id, seq) VALUES (1, 0);

CREATE TABLE idempotency (
    tenant_id   BLOB NOT NULL,
    principal   TEXT NOT NULL,
    operation   TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    answer      TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, principal, operation, key)
) STRICT;
CREATE INDEX idempotency_expires ON idempotency (expires_at);

CREATE TABLE leases (
    name   TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Fingerprint of the secret that all hosts share; at most one row.
CREATE TABLE host_secret (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL
) STRICT;

-- Plugins: releases, their component bytes, installations and timers.

CREATE TABLE releases (
    tenant_id   BLOB NOT NULL,
    digest      BLOB NOT NULL,
    plugin      TEXT NOT NULL,
    version     TEXT NOT NULL,
    contract    TEXT NOT NULL,
    hooks       TEXT NOT NULL,
    manifest    TEXT NOT NULL,
    footprint   TEXT NOT NULL,
    size        INTEGER NOT NULL,
    uploaded_at INTEGER NOT NULL,
    uploaded_by BLOB,
    PRIMARY KEY (tenant_id, digest)
) STRICT;
CREATE UNIQUE INDEX releases_version ON releases (tenant_id, plugin, version);
CREATE INDEX releases_uploaded ON releases (tenant_id, uploaded_at, digest);

-- Bytes are stored for each tenant, also where several tenants have the same component.
CREATE TABLE components (
    tenant_id BLOB NOT NULL,
    digest    BLOB NOT NULL,
    bytes     BLOB NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, digest) REFERENCES releases ON DELETE CASCADE
) STRICT;
CREATE INDEX components_digest ON components (digest);

-- `project_id` is null for installations in the whole tenant.
CREATE TABLE installations (
    tenant_id       BLOB NOT NULL,
    id              BLOB NOT NULL,
    plugin          TEXT NOT NULL,
    release_digest  BLOB NOT NULL,
    release_version TEXT NOT NULL,
    earlier         TEXT NOT NULL,
    project_id      BLOB,
    settings        TEXT NOT NULL,
    call_order      INTEGER NOT NULL,
    on_failure      TEXT NOT NULL,
    grants          TEXT NOT NULL,
    limits          TEXT NOT NULL,
    enabled         INTEGER NOT NULL,
    hooks           TEXT NOT NULL,
    kinds           TEXT NOT NULL,
    machines        TEXT NOT NULL,
    commands        TEXT NOT NULL,
    state_map       TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, release_digest) REFERENCES releases,
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX installations_scope ON installations
    (tenant_id, plugin, COALESCE(project_id, x'00000000000000000000000000000000'));
CREATE INDEX installations_created ON installations (tenant_id, created_at, id);
CREATE INDEX installations_release ON installations (tenant_id, release_digest);
CREATE INDEX installations_project ON installations (tenant_id, project_id) WHERE project_id IS NOT NULL;

CREATE TABLE timers (
    tenant_id       BLOB NOT NULL,
    issue_id        BLOB NOT NULL,
    installation_id BLOB NOT NULL,
    name            TEXT NOT NULL,
    at              INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    last_failure    TEXT,
    PRIMARY KEY (tenant_id, issue_id, installation_id, name),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, installation_id) REFERENCES installations ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Timers with 10 failures are parked and never due.
CREATE INDEX timers_due ON timers (at) WHERE failures < 10;
CREATE INDEX timers_installation ON timers (tenant_id, installation_id, at, issue_id, name);
CREATE INDEX timers_parked ON timers (tenant_id, installation_id, at, issue_id, name) WHERE failures >= 10;

-- Heartbeats of hosts. `seq` is the newest fact whose installations the host has loaded.
CREATE TABLE hosts (
    name    TEXT NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Catalog and inventory. Every event and every ticket type has a pool with its own id; all pools of an event are
-- locked together, in the order of their ids.

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

-- `unswept` is set for a cancelled event whose holds or tickets may still have to be ended.
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
    -- Times at which `reentry` was switched, oldest first.
    reentry_switches TEXT NOT NULL DEFAULT '[]',
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

-- A null capacity means unlimited.
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

-- `quantity` is the count of units that the reservation still has.
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
CREATE INDEX reservations_held ON reservations (tenant_id, event_id, expires_at) WHERE state = 'held';
CREATE INDEX reservations_due ON reservations (expires_at, tenant_id, event_id) WHERE state = 'held';

-- `unit_id` is null for a free seat. `place` is the sort key of row and number.
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

-- Admission: tickets, signing keys and check-ins.

-- `serial` is that of the valid code; codes with other serials are void since `revoked_at`.
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

-- `sealed` is the private key, encrypted with the hosts' secret.
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

-- `nonce` makes repeated reports of one scan by a device idempotent.
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
    -- The event's re-entry rule at the time of the scan.
    reentry     INTEGER NOT NULL DEFAULT 0,
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

-- Queues before sales. An event without a row has the default settings.

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

-- A buyer has at most one open booking in an event's queue.
CREATE UNIQUE INDEX bookings_buyer ON bookings (tenant_id, event_id, buyer) WHERE state IN ('waiting', 'active');
CREATE INDEX bookings_waiting ON bookings (tenant_id, event_id, entered_at, id) WHERE state = 'waiting';
CREATE INDEX bookings_active ON bookings (tenant_id, event_id, active_until) WHERE state = 'active';
CREATE INDEX bookings_event ON bookings (tenant_id, event_id);

-- Hold rules of a tenant, for events that set none.
CREATE TABLE hold_rules (
    tenant_id  BLOB PRIMARY KEY NOT NULL,
    usual      INTEGER,
    least      INTEGER,
    most       INTEGER,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT;

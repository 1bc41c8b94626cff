-- Baseline of the schema on PostgreSQL. Later changes are new files beside this one.
--
-- Every key begins with the tenant, so that tables can be distributed by it. Only the host's own tables
-- (leases, hosts, the head of the facts) have none. Text is compared by bytes.

-- Tenants and keys.

CREATE TABLE tenants (
    tenant_id  uuid PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL,
    -- Generation of the tenant's installations: counts their changes.
    plugins    bigint NOT NULL DEFAULT 0,
    plugin_limits jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);
CREATE INDEX tenants_created ON tenants (created_at, tenant_id);

-- The tenant of a request is read from its key, so key ids are unique among all tenants.
CREATE TABLE api_keys (
    tenant_id  uuid NOT NULL,
    id         text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    roles      jsonb NOT NULL,
    user_id    uuid,
    hash       bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX api_keys_id ON api_keys (id);
CREATE INDEX api_keys_created ON api_keys (tenant_id, created_at, id);

-- Tracker.

CREATE TABLE users (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    first_name   text COLLATE "C" NOT NULL,
    last_name    text COLLATE "C" NOT NULL,
    email        text COLLATE "C" NOT NULL,
    first_folded text COLLATE "C" NOT NULL,
    last_folded  text COLLATE "C" NOT NULL,
    email_folded text COLLATE "C" NOT NULL,
    search       text COLLATE "C" NOT NULL,
    is_active    boolean NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint NOT NULL,
    deleted_at   timestamptz,
    deleted_by   uuid,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX users_email ON users (tenant_id, email_folded) WHERE deleted_at IS NULL;
CREATE INDEX users_created ON users (tenant_id, created_at, id);
CREATE INDEX users_updated ON users (tenant_id, updated_at, id);
CREATE INDEX users_last_name ON users (tenant_id, last_folded, id);
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE projects (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    name        text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    scheme      jsonb,
    -- Generation of installations at which the project's state machines last changed.
    machines    bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL,
    deleted_at  timestamptz,
    deleted_by  uuid,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX projects_created ON projects (tenant_id, created_at, id);
CREATE INDEX projects_updated ON projects (tenant_id, updated_at, id);
CREATE INDEX projects_name ON projects (tenant_id, name, id);
CREATE INDEX projects_deleted ON projects (tenant_id, id) WHERE deleted_at IS NOT NULL;

-- A project's issue count is the sum of up to 64 rows, so that concurrent creations rarely lock the same row.
-- The last byte of an issue's id selects its row.
CREATE TABLE project_counts (
    tenant_id  uuid NOT NULL,
    project_id uuid NOT NULL,
    slot       integer NOT NULL,
    issues     bigint NOT NULL CHECK (issues >= 0),
    PRIMARY KEY (tenant_id, project_id, slot),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects ON DELETE CASCADE
);

CREATE TABLE issues (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    project_id  uuid NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    summary     text COLLATE "C" NOT NULL,
    description text COLLATE "C",
    status      text COLLATE "C" NOT NULL,
    resolution  text COLLATE "C",
    issue_type  text COLLATE "C" NOT NULL,
    priority    text COLLATE "C" NOT NULL,
    assignee_id uuid,
    reporter_id uuid,
    parent_id   uuid,
    parent_at   timestamptz,
    labels      jsonb NOT NULL,
    fields      jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects,
    FOREIGN KEY (tenant_id, assignee_id) REFERENCES users
);
CREATE INDEX issues_created ON issues (tenant_id, created_at, id);
CREATE INDEX issues_modified ON issues (tenant_id, modified_at, id);
CREATE INDEX issues_summary ON issues (tenant_id, summary, id);
CREATE INDEX issues_project ON issues (tenant_id, project_id, created_at, id);
CREATE INDEX issues_assignee ON issues (tenant_id, assignee_id, created_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX issues_status ON issues (tenant_id, status, created_at, id);
CREATE INDEX issues_parent ON issues (tenant_id, parent_id, id) WHERE parent_id IS NOT NULL;

-- Copy of `issues.labels` for filters.
CREATE TABLE issue_labels (
    tenant_id uuid NOT NULL,
    issue_id  uuid NOT NULL,
    label     text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, label),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE
);
CREATE INDEX issue_labels_label ON issue_labels (tenant_id, label, issue_id);

CREATE TABLE comments (
    tenant_id    uuid NOT NULL,
    issue_id     uuid NOT NULL,
    id           uuid NOT NULL,
    author_kind  text COLLATE "C" NOT NULL,
    author_id    text COLLATE "C" NOT NULL,
    author_user  uuid,
    body         text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    edited_at    timestamptz,
    version      bigint NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, id),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE
);
CREATE INDEX comments_created ON comments (tenant_id, issue_id, created_at, id);

CREATE TABLE issue_links (
    tenant_id  uuid NOT NULL,
    issue_id   uuid NOT NULL,
    relation   text COLLATE "C" NOT NULL,
    other_id   uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, relation, other_id),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, other_id) REFERENCES issues ON DELETE CASCADE
);
CREATE INDEX issue_links_other ON issue_links (tenant_id, other_id);

CREATE TABLE watchers (
    tenant_id uuid NOT NULL,
    issue_id  uuid NOT NULL,
    user_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, issue_id, user_id),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX watchers_user ON watchers (tenant_id, user_id, issue_id);

-- Facts: what happened, written in the transaction of the change itself. Old facts are deleted in slices; the
-- storage options of tables that age keep vacuum early and without locks.

-- A transaction draws from it after all row locks are taken, so the draws order the facts of each object.
CREATE SEQUENCE facts_drawn AS bigint;

-- `drawn` is the draw of the fact's transaction, `place` counts from 1 within the transaction. The number of a fact
-- is `commits.seq - commits.facts + place`.
CREATE TABLE facts (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    drawn          bigint NOT NULL,
    place          integer NOT NULL,
    fact_type      text COLLATE "C" NOT NULL,
    object_kind    text COLLATE "C" NOT NULL,
    object_id      text COLLATE "C" NOT NULL,
    object_version bigint NOT NULL,
    project_id     uuid,
    event_id       uuid,
    at             timestamptz NOT NULL,
    actor_kind     text COLLATE "C" NOT NULL,
    actor_id       text COLLATE "C" NOT NULL,
    actor_user     uuid,
    transport      text COLLATE "C" NOT NULL,
    request_id     text COLLATE "C" NOT NULL,
    cause          uuid,
    -- Plugin release whose effect the fact records.
    release        text COLLATE "C",
    changes        jsonb NOT NULL,
    PRIMARY KEY (tenant_id, drawn, place)
) WITH (autovacuum_vacuum_scale_factor = 0.02, vacuum_truncate = off);
CREATE INDEX facts_object ON facts (tenant_id, object_kind, object_id, object_version, id);

-- Transactions whose facts are not numbered yet. The table stays small. Truncation by vacuum is off, because it
-- would take a lock that blocks writers.
CREATE TABLE unnumbered (
    tenant_id uuid NOT NULL,
    drawn     bigint NOT NULL DEFAULT nextval('facts_drawn'),
    facts     integer NOT NULL CHECK (facts > 0),
    at        timestamptz NOT NULL
) WITH (vacuum_truncate = off);
CREATE INDEX unnumbered_drawn ON unnumbered (drawn);

-- Transactions whose facts are numbered. `seq` is the number of the last fact, `facts` their count, `at` the time
-- of the newest.
CREATE TABLE commits (
    tenant_id uuid NOT NULL,
    drawn     bigint NOT NULL,
    seq       bigint NOT NULL,
    facts     integer NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, drawn)
) WITH (autovacuum_vacuum_scale_factor = 0.02, vacuum_truncate = off);
CREATE UNIQUE INDEX commits_tenant ON commits (tenant_id, seq);
-- The condition is always true. It keeps the planner from using this index for queries of one tenant: only queries
-- that state the condition get it.
CREATE INDEX commits_seq ON commits (seq) WHERE facts > 0;
CREATE INDEX commits_at ON commits (at, seq);

-- Number of the newest numbered fact; one row.
CREATE TABLE facts_head (
    id  integer PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL
);
INSERT INTO facts_head (id, seq) VALUES (1, 0);

-- Numbers the facts of at most `most` transactions in the order of their draws, and notifies all hosts of the newest
-- number. Returns the count of transactions and that number. It must be VOLATILE: each of its statements then has
-- a snapshot of its own, and the numbering statement sees all commits from before the lock was taken. Plans are made
-- while the table is nearly empty and are kept, so sequential scans are switched off.
CREATE FUNCTION number_facts(most integer, OUT taken integer, OUT newest bigint) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
DECLARE
    head bigint;
BEGIN
    taken := 0;
    newest := 0;
    -- Without work, take no lock.
    PERFORM FROM unnumbered ORDER BY drawn LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT seq INTO STRICT head FROM facts_head WHERE id = 1 FOR UPDATE;
    WITH next AS (
        DELETE FROM unnumbered
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM unnumbered ORDER BY drawn LIMIT most))
        RETURNING tenant_id, drawn, facts, at
    ), numbered AS (
        INSERT INTO commits (tenant_id, drawn, seq, facts, at)
        SELECT tenant_id, drawn, head + sum(facts) OVER (ORDER BY drawn), facts, at FROM next
        RETURNING seq
    )
    SELECT count(*), COALESCE(max(seq), 0) INTO taken, newest FROM numbered;
    IF taken > 0 THEN
        UPDATE facts_head SET seq = newest WHERE id = 1;
        PERFORM pg_notify('tessera_numbered', newest::text);
    END IF;
END
$$;

CREATE TABLE idempotency (
    tenant_id   uuid NOT NULL,
    principal   text COLLATE "C" NOT NULL,
    operation   text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    answer      jsonb NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, principal, operation, key)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

CREATE TABLE leases (
    name   text COLLATE "C" PRIMARY KEY,
    holder text COLLATE "C" NOT NULL,
    epoch  bigint NOT NULL,
    until  timestamptz NOT NULL
);

-- Fingerprint of the secret that all hosts share; at most one row.
CREATE TABLE host_secret (
    id          integer PRIMARY KEY CHECK (id = 1),
    fingerprint bytea NOT NULL
);

-- Plugins: releases, their component bytes, installations and timers.

CREATE TABLE releases (
    tenant_id   uuid NOT NULL,
    digest      bytea NOT NULL,
    plugin      text COLLATE "C" NOT NULL,
    version     text COLLATE "C" NOT NULL,
    contract    text COLLATE "C" NOT NULL,
    hooks       jsonb NOT NULL,
    manifest    jsonb NOT NULL,
    footprint   jsonb NOT NULL,
    size        bigint NOT NULL,
    uploaded_at timestamptz NOT NULL,
    uploaded_by uuid,
    PRIMARY KEY (tenant_id, digest)
);
CREATE UNIQUE INDEX releases_version ON releases (tenant_id, plugin, version);
CREATE INDEX releases_uploaded ON releases (tenant_id, uploaded_at, digest);

-- Bytes are stored for each tenant, also where several tenants have the same component.
CREATE TABLE components (
    tenant_id uuid NOT NULL,
    digest    bytea NOT NULL,
    bytes     bytea NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, digest) REFERENCES releases ON DELETE CASCADE
);
CREATE INDEX components_digest ON components (digest);

-- `project_id` is null for installations in the whole tenant.
CREATE TABLE installations (
    tenant_id       uuid NOT NULL,
    id              uuid NOT NULL,
    plugin          text COLLATE "C" NOT NULL,
    release_digest  bytea NOT NULL,
    release_version text COLLATE "C" NOT NULL,
    earlier         jsonb NOT NULL,
    project_id      uuid,
    settings        text COLLATE "C" NOT NULL,
    call_order      integer NOT NULL,
    on_failure      text COLLATE "C" NOT NULL,
    grants          jsonb NOT NULL,
    limits          jsonb NOT NULL,
    enabled         boolean NOT NULL,
    hooks           jsonb NOT NULL,
    kinds           jsonb NOT NULL,
    machines        jsonb NOT NULL,
    commands        jsonb NOT NULL,
    state_map       jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, release_digest) REFERENCES releases,
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects ON DELETE CASCADE
);
CREATE UNIQUE INDEX installations_scope ON installations
    (tenant_id, plugin, COALESCE(project_id, '00000000-0000-0000-0000-000000000000'::uuid));
CREATE INDEX installations_created ON installations (tenant_id, created_at, id);
CREATE INDEX installations_release ON installations (tenant_id, release_digest);
CREATE INDEX installations_project ON installations (tenant_id, project_id) WHERE project_id IS NOT NULL;

CREATE TABLE timers (
    tenant_id       uuid NOT NULL,
    issue_id        uuid NOT NULL,
    installation_id uuid NOT NULL,
    name            text COLLATE "C" NOT NULL,
    at              timestamptz NOT NULL,
    generation      bigint NOT NULL,
    failures        integer NOT NULL,
    last_failure    text COLLATE "C",
    PRIMARY KEY (tenant_id, issue_id, installation_id, name),
    FOREIGN KEY (tenant_id, issue_id) REFERENCES issues ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, installation_id) REFERENCES installations ON DELETE CASCADE
);

-- Timers with 10 failures are parked and never due.
CREATE INDEX timers_due ON timers (at) WHERE failures < 10;
CREATE INDEX timers_installation ON timers (tenant_id, installation_id, at, issue_id, name);
CREATE INDEX timers_parked ON timers (tenant_id, installation_id, at, issue_id, name) WHERE failures >= 10;

-- Heartbeats of hosts. `seq` is the newest fact whose installations the host has loaded.
CREATE TABLE hosts (
    name    text COLLATE "C" PRIMARY KEY,
    seq     bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

-- Catalog and inventory. Every event and every ticket type has a pool with its own id; all pools of an event are
-- locked together, in the order of their ids.

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

-- `unswept` is set for a cancelled event whose holds or tickets may still have to be ended.
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
    -- Times at which `reentry` was switched, oldest first.
    reentry_switches jsonb NOT NULL DEFAULT '[]',
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

-- A null capacity means unlimited.
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

-- `quantity` is the count of units that the reservation still has.
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
CREATE INDEX reservations_held ON reservations (tenant_id, event_id, expires_at) WHERE state = 'held';
CREATE INDEX reservations_due ON reservations (expires_at, tenant_id, event_id) WHERE state = 'held';

-- `unit_id` is null for a free seat. `place` is the sort key of row and number.
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

-- Admission: tickets, signing keys and check-ins.

-- `serial` is that of the valid code; codes with other serials are void since `revoked_at`.
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

-- `sealed` is the private key, encrypted with the hosts' secret.
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

-- `nonce` makes repeated reports of one scan by a device idempotent.
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
    -- The event's re-entry rule at the time of the scan.
    reentry     boolean NOT NULL DEFAULT FALSE,
    created_by  text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL,
    undone_by   text COLLATE "C",
    undone_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets,
    CHECK ((undone_by IS NULL) = (undone_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, vacuum_truncate = off);
CREATE UNIQUE INDEX check_ins_nonce ON check_ins (tenant_id, event_id, device, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX check_ins_ticket ON check_ins (tenant_id, ticket_id);
CREATE INDEX check_ins_event ON check_ins (tenant_id, event_id, at, id);

-- Queues before sales. An event without a row has the default settings.

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

-- A buyer has at most one open booking in an event's queue.
CREATE UNIQUE INDEX bookings_buyer ON bookings (tenant_id, event_id, buyer) WHERE state IN ('waiting', 'active');
CREATE INDEX bookings_waiting ON bookings (tenant_id, event_id, entered_at, id) WHERE state = 'waiting';
CREATE INDEX bookings_active ON bookings (tenant_id, event_id, active_until) WHERE state = 'active';
CREATE INDEX bookings_event ON bookings (tenant_id, event_id);

-- Hold rules of a tenant, for events that set none.
CREATE TABLE hold_rules (
    tenant_id  uuid PRIMARY KEY,
    usual      bigint,
    least      bigint,
    most       bigint,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

-- Returns whether the event, ticket types, hold rules and queue still have the versions that a cached batch was decided
-- with. It must be VOLATILE: it then sees all commits up to its call, after the pools are locked, while the calling
-- statement keeps its older snapshot. `locked` is a parameter only to make the call wait for the pool locks.
CREATE FUNCTION terms_unchanged(
    tenant uuid, event uuid, event_version bigint, holds bigint, decided timestamptz,
    types uuid[], versions bigint[], locked bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN locked > 0
        AND clock_timestamp() < decided + interval '250 milliseconds'
        AND (SELECT e.version FROM events e WHERE e.tenant_id = tenant AND e.id = event AND e.deleted_at IS NULL)
            = event_version
        AND (SELECT COUNT(*) FROM queues q WHERE q.tenant_id = tenant AND q.event_id = event AND q.required) = 0
        AND (SELECT h.version FROM hold_rules h WHERE h.tenant_id = tenant) IS NOT DISTINCT FROM holds
        AND (SELECT COUNT(*) FROM unnest(types, versions) v(id, version) WHERE
            (SELECT t.version FROM ticket_types t WHERE t.tenant_id = tenant AND t.id = v.id) = v.version)
            = cardinality(types);
END
$$;

-- The house and the tracker. Every key begins with the tenant, so that the tables can be distributed by
-- it; only what belongs to the host (leases, the head of the facts) has none. Text is compared by bytes.

CREATE TABLE tenants (
    tenant_id  uuid PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);
CREATE INDEX tenants_created ON tenants (created_at, tenant_id);

-- Who asks is not known before the key is read, so its id is unique among all tenants.
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

-- A project's count of issues is the sum of up to 16 rows, so that creations do not wait for each other.
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

-- The same labels as in the issue's row, for filters.
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

-- Drawn once all row locks are held, so that it gives the facts of one object in their order.
CREATE SEQUENCE facts_drawn AS bigint;

-- `seq` is given after the commit, by one sequencer at a time, in the order of `drawn`.
CREATE TABLE facts (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    seq            bigint,
    drawn          bigint NOT NULL DEFAULT nextval('facts_drawn'),
    fact_type      text COLLATE "C" NOT NULL,
    object_kind    text COLLATE "C" NOT NULL,
    object_id      text COLLATE "C" NOT NULL,
    object_version bigint NOT NULL,
    project_id     uuid,
    at             timestamptz NOT NULL,
    actor_kind     text COLLATE "C" NOT NULL,
    actor_id       text COLLATE "C" NOT NULL,
    actor_user     uuid,
    transport      text COLLATE "C" NOT NULL,
    request_id     text COLLATE "C" NOT NULL,
    cause          uuid,
    changes        jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX facts_seq ON facts (seq) WHERE seq IS NOT NULL;
CREATE INDEX facts_tenant ON facts (tenant_id, seq) WHERE seq IS NOT NULL;
CREATE INDEX facts_object ON facts (tenant_id, object_kind, object_id, object_version, id);
CREATE INDEX facts_unnumbered ON facts (drawn) WHERE seq IS NULL;
CREATE INDEX facts_at ON facts (at, seq) WHERE seq IS NOT NULL;

-- The number of the newest numbered fact; one row.
CREATE TABLE facts_head (
    id  integer PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL
);
INSERT INTO facts_head (id, seq) VALUES (1, 0);

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

-- The fingerprint of the secret that all hosts share; at most one row.
CREATE TABLE host_secret (
    id          integer PRIMARY KEY CHECK (id = 1),
    fingerprint bytea NOT NULL
);

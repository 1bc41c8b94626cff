-- The house and the tracker. Every key begins with the tenant, so that the tables can be distributed by
-- it; only what belongs to the host (leases, the head of the facts) has none. Text is compared by
-- bytes, ids are 16 bytes, times whole microseconds since 1970.

CREATE TABLE tenants (
    tenant_id  BLOB NOT NULL PRIMARY KEY,
    slug       TEXT NOT NULL,
    name       TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);
CREATE INDEX tenants_created ON tenants (created_at, tenant_id);

-- Who asks is not known before the key is read, so its id is unique among all tenants.
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

-- A project's count of issues is the sum of up to 16 rows, so that creations do not wait for each other.
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

-- The same labels as in the issue's row, for filters.
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

-- The one writer gives `seq`.
CREATE TABLE facts (
    tenant_id      BLOB NOT NULL,
    id             BLOB NOT NULL,
    seq            INTEGER NOT NULL,
    fact_type      TEXT NOT NULL,
    object_kind    TEXT NOT NULL,
    object_id      TEXT NOT NULL,
    object_version INTEGER NOT NULL,
    project_id     BLOB,
    at             INTEGER NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       TEXT NOT NULL,
    actor_user     BLOB,
    transport      TEXT NOT NULL,
    request_id     TEXT NOT NULL,
    cause          BLOB,
    changes        TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX facts_seq ON facts (seq);
CREATE INDEX facts_tenant ON facts (tenant_id, seq);
CREATE INDEX facts_object ON facts (tenant_id, object_kind, object_id, object_version, id);
CREATE INDEX facts_at ON facts (at, seq);

-- The number of the newest numbered fact; one row.
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

-- The fingerprint of the secret that all hosts share; at most one row.
CREATE TABLE host_secret (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL
) STRICT;

-- Plugins: releases with their bytes, where they are installed, and the timers that they set.

-- `plugins` counts the changes of a tenant's installations.
ALTER TABLE tenants ADD COLUMN plugins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN plugin_limits TEXT NOT NULL DEFAULT '{}';

-- The count of the tenant at which the machine of the project's issues last changed.
ALTER TABLE projects ADD COLUMN machines INTEGER NOT NULL DEFAULT 0;

-- The plugin's release whose effect the fact is.
ALTER TABLE facts ADD COLUMN release TEXT;

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

-- Every tenant keeps its own bytes, even of the same component.
CREATE TABLE components (
    tenant_id BLOB NOT NULL,
    digest    BLOB NOT NULL,
    bytes     BLOB NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, digest) REFERENCES releases ON DELETE CASCADE
) STRICT;
CREATE INDEX components_digest ON components (digest);

-- Without a project: at work in the whole tenant.
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
-- Those that have failed too often are parked.
CREATE INDEX timers_due ON timers (at) WHERE failures < 10;
CREATE INDEX timers_installation ON timers (tenant_id, installation_id);

-- Hosts that live, and up to which fact each has installations in force.
CREATE TABLE hosts (
    name    TEXT NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

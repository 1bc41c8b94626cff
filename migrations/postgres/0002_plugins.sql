-- Plugins: releases with their bytes, where they are installed, and the timers that they set.

-- `plugins` counts the changes of a tenant's installations.
ALTER TABLE tenants ADD COLUMN plugins bigint NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN plugin_limits jsonb NOT NULL DEFAULT '{}';

-- The count of the tenant at which the machine of the project's issues last changed.
ALTER TABLE projects ADD COLUMN machines bigint NOT NULL DEFAULT 0;

-- The plugin's release whose effect the fact is.
ALTER TABLE facts ADD COLUMN release text COLLATE "C";

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

-- Every tenant keeps its own bytes, even of the same component.
CREATE TABLE components (
    tenant_id uuid NOT NULL,
    digest    bytea NOT NULL,
    bytes     bytea NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, digest) REFERENCES releases ON DELETE CASCADE
);
CREATE INDEX components_digest ON components (digest);

-- Without a project: at work in the whole tenant.
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
-- Those that have failed too often are parked.
CREATE INDEX timers_due ON timers (at) WHERE failures < 10;
CREATE INDEX timers_installation ON timers (tenant_id, installation_id);

-- Hosts that live, and up to which fact each has installations in force.
CREATE TABLE hosts (
    name    text COLLATE "C" PRIMARY KEY,
    seq     bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

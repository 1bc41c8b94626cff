-- Facts lie in the order of their numbers: the number is the row's own, and two trees less are written for each fact.

CREATE TABLE facts_by_number (
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

INSERT INTO facts_by_number (seq, tenant_id, id, fact_type, object_kind, object_id, object_version, project_id,
    event_id, at, actor_kind, actor_id, actor_user, transport, request_id, cause, release, changes)
    SELECT seq, tenant_id, id, fact_type, object_kind, object_id, object_version, project_id,
    event_id, at, actor_kind, actor_id, actor_user, transport, request_id, cause, release, changes
    FROM facts ORDER BY seq;

DROP TABLE facts;
ALTER TABLE facts_by_number RENAME TO facts;

CREATE INDEX facts_tenant ON facts (tenant_id, seq);
CREATE INDEX facts_object ON facts (tenant_id, object_kind, object_id, object_version, id);
CREATE INDEX facts_at ON facts (at, seq);

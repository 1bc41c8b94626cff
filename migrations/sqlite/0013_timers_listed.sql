-- An installation's timers are listed by when they are due; those that are parked are few, and found without the others.
DROP INDEX timers_installation;
CREATE INDEX timers_installation ON timers (tenant_id, installation_id, at, issue_id, name);
CREATE INDEX timers_parked ON timers (tenant_id, installation_id, at, issue_id, name) WHERE failures >= 10;

-- The host finds its work tenant by tenant: the indexes of due rows begin with the tenant.
DROP INDEX timers_due;
CREATE INDEX timers_due ON timers (tenant_id, at) WHERE failures < 10;
DROP INDEX reservations_due;
CREATE INDEX reservations_due ON reservations (tenant_id, expires_at, event_id) WHERE state = 'held';
DROP INDEX pool_locks_until;
CREATE INDEX pool_locks_until ON pool_locks (tenant_id, until) WHERE until IS NOT NULL;
DROP INDEX events_running;
CREATE INDEX events_running ON events (tenant_id, ends_at) WHERE status = 'active';
DROP INDEX users_deleted;
CREATE INDEX users_deleted ON users (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;

-- Whether an event has holds that are due is asked for by each batch: by event, and for all events together.
CREATE INDEX reservations_held ON reservations (tenant_id, event_id, expires_at) WHERE state = 'held';

-- Failed attempts of the host to reserve the lines of a booking, and when it tries again.
ALTER TABLE bookings ADD COLUMN attempts bigint NOT NULL DEFAULT 0;
ALTER TABLE bookings ADD COLUMN retry_at timestamptz;

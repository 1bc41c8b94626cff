-- By which rule a scan is judged. An event remembers when its rule was changed, which tells what it was at any moment;
-- a scan keeps the rule of its own moment, whatever the event does afterwards. Scans that are there were judged by the
-- rule that their event has now.
ALTER TABLE events ADD COLUMN reentry_switches jsonb NOT NULL DEFAULT '[]';
ALTER TABLE check_ins ADD COLUMN reentry boolean NOT NULL DEFAULT FALSE;
UPDATE check_ins c SET reentry = TRUE FROM events e WHERE e.tenant_id = c.tenant_id AND e.id = c.event_id AND e.reentry;

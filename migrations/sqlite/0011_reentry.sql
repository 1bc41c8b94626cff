-- By which rule a scan is judged. An event remembers when its rule was changed, which tells what it was at any moment;
-- a scan keeps the rule of its own moment, whatever the event does afterwards. Scans that are there were judged by the
-- rule that their event has now.
ALTER TABLE events ADD COLUMN reentry_switches TEXT NOT NULL DEFAULT '[]';
ALTER TABLE check_ins ADD COLUMN reentry INTEGER NOT NULL DEFAULT 0;
UPDATE check_ins SET reentry = 1 WHERE EXISTS
    (SELECT 1 FROM events e WHERE e.tenant_id = check_ins.tenant_id AND e.id = check_ins.event_id AND e.reentry);

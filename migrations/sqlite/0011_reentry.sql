-- By which rule a scan is judged. An event remembers when its rule was changed, which tells what it was at any moment;
-- a scan keeps the rule of its own moment, whatever the event does afterwards. Scans that are there tell by their verdicts
-- how they were judged: who came out, or in again, was let, and who was refused stays refused. A first entry says nothing.
ALTER TABLE events ADD COLUMN reentry_switches TEXT NOT NULL DEFAULT '[]';
ALTER TABLE check_ins ADD COLUMN reentry INTEGER NOT NULL DEFAULT 0;
UPDATE check_ins SET reentry = CASE
    WHEN verdict IN ('duplicate', 'stray') THEN 0
    WHEN verdict = 'accepted' AND (direction = 'out' OR EXISTS (SELECT 1 FROM check_ins b
        WHERE b.tenant_id = check_ins.tenant_id AND b.ticket_id = check_ins.ticket_id AND b.verdict = 'accepted'
        AND b.undone_at IS NULL AND b.at < check_ins.at)) THEN 1
    ELSE COALESCE((SELECT e.reentry FROM events e
        WHERE e.tenant_id = check_ins.tenant_id AND e.id = check_ins.event_id), 0) END;

-- By which rule a scan is judged. An event remembers when its rule was changed, which tells what it was at any moment;
-- a scan keeps the rule of its own moment, whatever the event does afterwards. Scans that are there tell by their verdicts
-- how they were judged: who came out, or in again, was let, and who was refused stays refused. A first entry says nothing.
ALTER TABLE events ADD COLUMN reentry_switches jsonb NOT NULL DEFAULT '[]';
ALTER TABLE check_ins ADD COLUMN reentry boolean NOT NULL DEFAULT FALSE;
UPDATE check_ins c SET reentry = CASE
    WHEN verdict IN ('duplicate', 'stray') THEN FALSE
    WHEN verdict = 'accepted' AND (direction = 'out' OR EXISTS (SELECT 1 FROM check_ins b
        WHERE b.tenant_id = c.tenant_id AND b.ticket_id = c.ticket_id AND b.verdict = 'accepted'
        AND b.undone_at IS NULL AND b.at < c.at)) THEN TRUE
    ELSE COALESCE((SELECT e.reentry FROM events e
        WHERE e.tenant_id = c.tenant_id AND e.id = c.event_id), FALSE) END;

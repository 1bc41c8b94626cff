-- Facts are numbered by transaction: one narrow row gets a number, and no fact is written twice.

LOCK TABLE facts;

-- Transactions whose facts have no numbers yet. Each draws its place once it holds all its row locks, so that
-- the facts of one object stand in their order. The table stays small, and keeps its pages: giving them back
-- would lock out those who write.
CREATE TABLE unnumbered (
    tenant_id uuid NOT NULL,
    drawn     bigint NOT NULL DEFAULT nextval('facts_drawn'),
    facts     integer NOT NULL CHECK (facts > 0),
    at        timestamptz NOT NULL
) WITH (vacuum_truncate = off);
CREATE INDEX unnumbered_drawn ON unnumbered (drawn);

-- Transactions whose facts are numbered: `seq` is the number of the last one, `facts` is how many there were,
-- `at` is the time of the newest.
CREATE TABLE commits (
    tenant_id uuid NOT NULL,
    drawn     bigint NOT NULL,
    seq       bigint NOT NULL,
    facts     integer NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, drawn)
);

-- Up to now each fact was numbered by itself: each becomes a transaction of one.
INSERT INTO commits (tenant_id, drawn, seq, facts, at)
    SELECT tenant_id, drawn, seq, 1, at FROM facts WHERE seq IS NOT NULL;
INSERT INTO unnumbered (tenant_id, drawn, facts, at)
    SELECT tenant_id, drawn, 1, at FROM facts WHERE seq IS NULL;

CREATE UNIQUE INDEX commits_tenant ON commits (tenant_id, seq);
-- Its condition always holds, but only who says it gets the index: who asks for one tenant's is not to read by
-- those of all, which the planner might find cheaper.
CREATE INDEX commits_seq ON commits (seq) WHERE facts > 0;
CREATE INDEX commits_at ON commits (at, seq);

-- `place` counts from 1 within the transaction: a fact's number is `seq - facts + place`.
DROP INDEX facts_seq, facts_tenant, facts_unnumbered, facts_at;
ALTER TABLE facts
    DROP CONSTRAINT facts_pkey,
    DROP COLUMN seq,
    ALTER COLUMN drawn DROP DEFAULT,
    ADD COLUMN place integer NOT NULL DEFAULT 1;
ALTER TABLE facts
    ALTER COLUMN place DROP DEFAULT,
    ADD PRIMARY KEY (tenant_id, drawn, place);

-- Numbers the facts of at most `most` transactions, in the order in which they drew, and tells all hosts up to
-- which number; how many transactions it were. It is volatile, so each statement sees all that was committed
-- before it began: the one that numbers sees what was committed before the lock was taken. Its plans are made
-- while there is next to nothing in the table, and kept: they are to use the index all the same.
CREATE FUNCTION number_facts(most integer, OUT taken integer, OUT newest bigint) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
DECLARE
    head bigint;
BEGIN
    taken := 0;
    newest := 0;
    -- Where nothing waits, nothing is locked.
    PERFORM FROM unnumbered ORDER BY drawn LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT seq INTO STRICT head FROM facts_head WHERE id = 1 FOR UPDATE;
    WITH next AS (
        DELETE FROM unnumbered
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM unnumbered ORDER BY drawn LIMIT most))
        RETURNING tenant_id, drawn, facts, at
    ), numbered AS (
        INSERT INTO commits (tenant_id, drawn, seq, facts, at)
        SELECT tenant_id, drawn, head + sum(facts) OVER (ORDER BY drawn), facts, at FROM next
        RETURNING seq
    )
    SELECT count(*), COALESCE(max(seq), 0) INTO taken, newest FROM numbered;
    IF taken > 0 THEN
        UPDATE facts_head SET seq = newest WHERE id = 1;
        PERFORM pg_notify('tessera_numbered', newest::text);
    END IF;
END
$$;

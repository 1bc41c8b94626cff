-- Whether an event's terms are those by which a batch was judged a moment ago. It is volatile: called when the batch
-- has locked the pools, it looks at all that was committed until then, while the statement that calls it still sees what
-- was there before it waited. That all pools are locked is a parameter, so that they are.
CREATE FUNCTION terms_hold(
    tenant uuid, event uuid, event_version bigint, holds bigint, judged timestamptz,
    types uuid[], versions bigint[], locked bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN locked > 0
        AND clock_timestamp() < judged + interval '250 milliseconds'
        AND (SELECT e.version FROM events e WHERE e.tenant_id = tenant AND e.id = event AND e.deleted_at IS NULL)
            = event_version
        AND (SELECT COUNT(*) FROM queues q WHERE q.tenant_id = tenant AND q.event_id = event AND q.required) = 0
        AND (SELECT h.version FROM hold_rules h WHERE h.tenant_id = tenant) IS NOT DISTINCT FROM holds
        AND (SELECT COUNT(*) FROM unnest(types, versions) v(id, version) WHERE
            (SELECT t.version FROM ticket_types t WHERE t.tenant_id = tenant AND t.id = v.id) = v.version)
            = cardinality(types);
END
$$;

"""The hook's statement for a scene that waits already: not the first save of it, so only then loaded."""

# The same rules as merging.merge() for an event of a person: newest content, earliest time, no retry state, no word on
# a deletion that is told now, every source of a merge. The time goes in as JSON text: json_set would cut a float.
MERGE = """
    UPDATE ack_queue_default
    SET data = CAST(json_remove(
            json_set(
                CASE WHEN json_type(CAST(data AS TEXT), '$.enqueued_at') IN ('integer', 'real')
                      AND json_extract(CAST(data AS TEXT), '$.enqueued_at') <= ?3
                     THEN CAST(data AS TEXT)
                     ELSE json_set(CAST(data AS TEXT), '$.enqueued_at', json(?4)) END,
                '$.scene_id', json_extract(?1, '$.scene_id'),
                '$.update_type', json_extract(?1, '$.update_type'),
                '$.data', json(CASE
                    WHEN json_type(CAST(data AS TEXT), '$.data.sources') = 'array'
                    THEN json_set(json_extract(?1, '$.data'), '$.sources', json((
                        SELECT json_group_array(value) FROM (
                            SELECT value FROM json_each(CAST(data AS TEXT), '$.data.sources')
                            UNION SELECT value FROM json_each(?1, '$.data.sources')))))
                    ELSE json_extract(?1, '$.data') END)),
            '$.retry_count', '$.next_retry_at', '$.last_error_type',
            CASE WHEN json_extract(?1, '$.update_type') = 'destroy' THEN '$.decided' ELSE '$.retry_count' END) AS BLOB),
        priority = MIN(priority, ?5), event_at = ?3
    WHERE _id = ?2"""

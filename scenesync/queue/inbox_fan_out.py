"""The hook's statements for what many scenes show: rare, so whoever saves a scene does not load them."""

# The tags that a merge took away, which only this event names; SQLite and json write the list alike.
READ_SOURCES = """
    SELECT json_group_array(CAST(value AS INTEGER)) FROM json_each(?1, '$.args.hookContext.input.source')
    WHERE CAST(value AS INTEGER) > 0"""
BUILD = """
    SELECT json_object(
        'scene_id', 0, 'update_type', 'fanout',
        'data', json_patch(json_object('entity', ?1, 'id', ?2), json_object('sources', json(?3))),
        'enqueued_at', json(?4), 'job_key', ?1 || '_' || ?2)"""

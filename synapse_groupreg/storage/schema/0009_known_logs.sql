-- What this database remembers of the retention store, so that no other store, and no new keys, are taken for it.
CREATE TABLE groupreg_logs (
    log TEXT NOT NULL,
    shard INTEGER NOT NULL,
    -- The public half of the key that signs its checkpoints, and the id of the key that wraps its data keys.
    signing_key TEXT NOT NULL,
    wrapping_key TEXT NOT NULL,
    -- The last checkpoint that was signed; size 0 before the first.
    origin TEXT NOT NULL,
    size BIGINT NOT NULL,
    root TEXT NOT NULL,
    noted_ms BIGINT NOT NULL,
    PRIMARY KEY (log, shard)
)

-- Shards of logs, as JSON, whose records are in no store that is here: they can't be erased as yet.
ALTER TABLE groupreg_erasures ADD COLUMN missing TEXT NOT NULL DEFAULT '[]'

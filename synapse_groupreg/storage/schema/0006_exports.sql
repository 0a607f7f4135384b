-- Exports of records that were asked for: each may be downloaded for a while, always as of the same checkpoint.
CREATE TABLE groupreg_exports (
    id TEXT PRIMARY KEY,
    made_ms BIGINT NOT NULL,
    -- Its record on the way to the retention store: nothing is handed out before that is there.
    outbox_id BIGINT NOT NULL,
    -- Who asked for what, encrypted as the outbox is.
    request TEXT NOT NULL,
    -- The checkpoints of its bundles, likewise; NULL until it was recorded.
    parts TEXT
)

-- Legal holds: records of a time that are not removed until the hold ends, or is lifted.
CREATE TABLE groupreg_holds (
    id {identity},
    log TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    reason TEXT NOT NULL,
    basis TEXT NOT NULL,
    author TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    lifted_ms BIGINT,
    lifted_by TEXT
)

-- Whose records are to be erased, as far as no duty to keep them runs. Once it is done the name is gone from here too.
CREATE TABLE groupreg_erasures (
    id {identity},
    account TEXT,
    reason TEXT NOT NULL,
    -- Why the duty to keep them is over; NULL while it runs.
    duty_ended TEXT,
    author TEXT NOT NULL,
    asked_ms BIGINT NOT NULL,
    -- When the rest will be carried out, as far as that is known.
    next_ms BIGINT,
    names BIGINT NOT NULL DEFAULT 0,
    records BIGINT NOT NULL DEFAULT 0,
    -- The periods that were gone through, as JSON.
    periods TEXT NOT NULL DEFAULT '[]',
    done_ms BIGINT
)

CREATE UNIQUE INDEX groupreg_erasures_open ON groupreg_erasures (account) WHERE done_ms IS NULL

-- What the recorder is to do with the retention store, once, whatever crashes: a row goes when it is done.
CREATE TABLE groupreg_store_work (
    id {identity},
    -- purge, look, rotate, epoch, erase
    kind TEXT NOT NULL,
    log TEXT NOT NULL,
    -- What of it: two wishes for the same are one.
    subject TEXT NOT NULL,
    -- How far it is, as JSON.
    payload TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    -- Its record on the way to the store.
    outbox_id BIGINT,
    UNIQUE (kind, log, subject)
)

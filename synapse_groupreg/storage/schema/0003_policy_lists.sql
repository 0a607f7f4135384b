-- The policy room that keeps an entry, and the event in it; both are null for an entry of staff's own.
ALTER TABLE groupreg_measures ADD COLUMN list_room TEXT

ALTER TABLE groupreg_measures ADD COLUMN list_event TEXT

-- Policy rooms whose rules are carried out as they come and go.
CREATE TABLE groupreg_followed (
    room_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    follower TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    -- How many accounts of this server staff saw touched and accepted.
    accounts BIGINT NOT NULL
)

-- Acts that wait for a second member of staff.
CREATE TABLE groupreg_proposals (
    id {identity},
    action TEXT NOT NULL,
    payload TEXT NOT NULL,
    subject TEXT NOT NULL,
    author TEXT NOT NULL,
    accounts BIGINT NOT NULL,
    sample TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    decided_ms BIGINT,
    decided_by TEXT,
    approved INTEGER
)

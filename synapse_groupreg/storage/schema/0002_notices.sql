-- When an account was last told about a code in a room: the row lock lets one of several processes tell it.
CREATE TABLE groupreg_notice_marks (
    account TEXT NOT NULL,
    room_id TEXT NOT NULL,
    code TEXT NOT NULL,
    last_ms BIGINT NOT NULL,
    PRIMARY KEY (account, room_id, code)
)

CREATE INDEX groupreg_notice_marks_last ON groupreg_notice_marks (last_ms)

-- What people are to be told in their direct room with the server; state: waiting, sending, sent, dropped, failed.
CREATE TABLE groupreg_notices (
    id {identity},
    account TEXT NOT NULL,
    code TEXT NOT NULL,
    attempt TEXT NOT NULL,
    room_id TEXT NOT NULL,
    facts TEXT,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    next_ms BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    sent_ms BIGINT,
    problem TEXT
)

CREATE INDEX groupreg_notices_state ON groupreg_notices (state, next_ms)

CREATE INDEX groupreg_notices_sent ON groupreg_notices (sent_ms)

CREATE TABLE groupreg_notice_rooms (
    account TEXT PRIMARY KEY,
    room_id TEXT NOT NULL
)

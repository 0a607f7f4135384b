-- Who can't post in a group until when, because those who look after it say so.
CREATE TABLE groupreg_mutes (
    room_id TEXT NOT NULL,
    account TEXT NOT NULL,
    reason TEXT,
    author TEXT NOT NULL,
    start_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, account)
)

CREATE INDEX groupreg_mutes_account ON groupreg_mutes (account)

CREATE INDEX groupreg_mutes_until ON groupreg_mutes (until_ms)

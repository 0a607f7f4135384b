-- Groups that their founder offered to somebody, who may become their founder until then.
CREATE TABLE groupreg_handovers (
    room_id TEXT PRIMARY KEY,
    founder TEXT NOT NULL,
    account TEXT NOT NULL,
    until_ms BIGINT NOT NULL
)

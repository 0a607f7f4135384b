-- The numbers of groups. A row stays when its group is gone: no number is given twice.
CREATE TABLE groupreg_numbers (
    number TEXT PRIMARY KEY,
    -- Who carries it; null for one that waits for its room, or that is used up.
    room_id TEXT,
    -- The founding that it was kept for, and who founds; null for groups from before.
    founding_id TEXT,
    founder TEXT,
    given_ms BIGINT NOT NULL
)

CREATE UNIQUE INDEX groupreg_numbers_room ON groupreg_numbers (room_id)

CREATE INDEX groupreg_numbers_founding ON groupreg_numbers (founding_id)

-- Of a room: how many were joined, the newest change of its state that was counted, and when all were counted. See census.
ALTER TABLE groupreg_quotas ADD COLUMN members BIGINT

ALTER TABLE groupreg_quotas ADD COLUMN position BIGINT

ALTER TABLE groupreg_quotas ADD COLUMN counted_ms BIGINT

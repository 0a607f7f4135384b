-- How many milliseconds each member of a group waits between two posts; NULL where they needn't.
ALTER TABLE groupreg_rooms ADD COLUMN slow_ms BIGINT

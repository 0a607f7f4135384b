-- Whether the state of the group names the number: null as long as nobody looked, then 1, or 0 where nobody here can
-- write it.
ALTER TABLE groupreg_numbers ADD COLUMN inscribed INTEGER

CREATE INDEX groupreg_numbers_uninscribed ON groupreg_numbers (room_id) WHERE inscribed IS NULL AND room_id IS NOT NULL

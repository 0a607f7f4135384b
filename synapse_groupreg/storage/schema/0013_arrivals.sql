-- The newest change of the room's state when a member's place was promised; NULL where the place is kept until the
-- promise lapses. See quotas.reserve_member.
ALTER TABLE groupreg_reservations ADD COLUMN position BIGINT

ALTER TABLE groupreg_reservations DROP COLUMN seen

-- What a group is about, in the words of the operator.
ALTER TABLE groupreg_rooms ADD COLUMN category TEXT

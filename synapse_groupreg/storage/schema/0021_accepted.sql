-- The versions of the agreement that those whom a measure binds had accepted when it was imposed, as a JSON list; NULL for
-- a measure that doesn't rest on the agreement.
ALTER TABLE groupreg_measures ADD COLUMN accepted TEXT

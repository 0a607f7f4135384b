-- When what its author wrote was erased; the text is empty since.
ALTER TABLE groupreg_appeals ADD COLUMN erased_ms BIGINT

-- Measures below and beside the blacklist. `room`: the one room in which a measure on somebody holds.
ALTER TABLE groupreg_measures ADD COLUMN room TEXT

-- What only staff read.
ALTER TABLE groupreg_measures ADD COLUMN note TEXT

-- Why a step of the usual order was skipped.
ALTER TABLE groupreg_measures ADD COLUMN grave TEXT

ALTER TABLE groupreg_measures ADD COLUMN deadline_ms BIGINT

-- How far the report to the authority is: not-due, due, handed-in, not-reported; the text is its receipt, or why not.
ALTER TABLE groupreg_measures ADD COLUMN report TEXT NOT NULL DEFAULT 'not-due'

ALTER TABLE groupreg_measures ADD COLUMN report_text TEXT

ALTER TABLE groupreg_measures ADD COLUMN report_by TEXT

ALTER TABLE groupreg_measures ADD COLUMN report_ms BIGINT

-- Chosen by whoever asked: the same request again is the same act.
ALTER TABLE groupreg_measures ADD COLUMN request_key TEXT

CREATE UNIQUE INDEX groupreg_measures_key ON groupreg_measures (request_key)

-- Whether those concerned were told of the end. Nobody is told of one from before this was known.
ALTER TABLE groupreg_measures ADD COLUMN end_told INTEGER NOT NULL DEFAULT 0

UPDATE groupreg_measures SET end_told = 1 WHERE until_ms IS NOT NULL

CREATE INDEX groupreg_measures_ends ON groupreg_measures (until_ms) WHERE until_ms IS NOT NULL AND end_told = 0

-- Groups that were closed, whose members are removed when they could read long enough; again and again until none is left.
CREATE TABLE groupreg_removals (
    measure_id BIGINT PRIMARY KEY,
    room_id TEXT NOT NULL,
    due_ms BIGINT NOT NULL,
    next_ms BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    done_ms BIGINT,
    problem TEXT
)

CREATE INDEX groupreg_removals_next ON groupreg_removals (next_ms) WHERE done_ms IS NULL

-- Acts that wait for a second member of staff were named otherwise.
UPDATE groupreg_proposals SET action = 'impose' WHERE action = 'blacklist'

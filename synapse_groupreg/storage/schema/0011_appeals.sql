-- What people say to a measure that concerns them, and what staff answered.
CREATE TABLE groupreg_appeals (
    id {identity},
    measure_id BIGINT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    outcome TEXT,
    answer TEXT,
    decided_by TEXT,
    decided_ms BIGINT
)

CREATE INDEX groupreg_appeals_measure ON groupreg_appeals (measure_id)

CREATE INDEX groupreg_appeals_author ON groupreg_appeals (author)

-- One open appeal against a measure, whatever is done at the same time.
CREATE UNIQUE INDEX groupreg_appeals_open ON groupreg_appeals (measure_id) WHERE outcome IS NULL

-- What was put together about measures for the authority, as it was then, and how far it is.
CREATE TABLE groupreg_packets (
    id {identity},
    author TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    facts TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT,
    state_by TEXT,
    state_ms BIGINT
)

-- What the retention store is to hear of: written in the transaction of what it tells, encrypted, and removed once it
-- was recorded.
CREATE TABLE groupreg_outbox (
    id {identity},
    -- The order of recording. Ids commit out of order, so it is given afterwards, by whoever holds the row below.
    seq BIGINT UNIQUE,
    made_ms BIGINT NOT NULL,
    payload TEXT NOT NULL
)

CREATE INDEX groupreg_outbox_unnumbered ON groupreg_outbox (id) WHERE seq IS NULL

-- The last number that was given; its row lock puts rivals in one order.
CREATE TABLE groupreg_outbox_last (
    only_row INTEGER PRIMARY KEY,
    seq BIGINT NOT NULL
)

-- How far the recorder is in each of its sources, as it says itself; its own cursors lie in the retention store.
CREATE TABLE groupreg_recorded (
    source TEXT PRIMARY KEY,
    position BIGINT NOT NULL
)

-- What a process of Synapse found of its own events when it started, so that none is left behind by a crash.
CREATE TABLE groupreg_writers (
    source TEXT PRIMARY KEY,
    -- Every event that it wrote since it was first seen is above this position.
    first BIGINT NOT NULL,
    -- Up to here everything was there, once all transactions of that moment have ended.
    settled BIGINT NOT NULL,
    txid BIGINT NOT NULL
)

-- How far each of Synapse's tables of reports was taken into the outbox: the highest id, and the newest time.
CREATE TABLE groupreg_reports_seen (
    kind TEXT PRIMARY KEY,
    id BIGINT NOT NULL,
    ts_ms BIGINT NOT NULL
)

-- The newest reports that were taken: their ids commit out of order, and are used again after a deletion.
CREATE TABLE groupreg_reports_taken (
    kind TEXT NOT NULL,
    id BIGINT NOT NULL,
    ts_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, id, ts_ms)
)

-- How many of the count are in the outbox, or were.
ALTER TABLE groupreg_refusals ADD COLUMN recorded BIGINT NOT NULL DEFAULT 0

CREATE INDEX groupreg_refusals_unrecorded ON groupreg_refusals (minute_ms) WHERE recorded < count

-- Lines of the journal that are not in the outbox yet. A trigger writes it, so that no line is missing that an older
-- version writes meanwhile; what is there already follows after it, for the trigger waits for open transactions.
CREATE TABLE groupreg_acts_unrecorded (
    act_id BIGINT PRIMARY KEY
)

-- only sqlite
CREATE TRIGGER groupreg_acts_note AFTER INSERT ON groupreg_acts
BEGIN
    INSERT INTO groupreg_acts_unrecorded (act_id) VALUES (NEW.id);
END

-- only postgres
CREATE FUNCTION groupreg_note_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO groupreg_acts_unrecorded (act_id) VALUES (NEW.id);
    RETURN NULL;
END $$

-- only postgres
CREATE TRIGGER groupreg_acts_note AFTER INSERT ON groupreg_acts
    FOR EACH ROW EXECUTE FUNCTION groupreg_note_act()

INSERT INTO groupreg_acts_unrecorded (act_id) SELECT id FROM groupreg_acts

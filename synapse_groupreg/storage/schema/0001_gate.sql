-- Statements are separated by blank lines; one that starts with `-- only DIALECT` runs on that dialect alone.
-- `{identity}` is the dialect's self-numbering primary key. Times are milliseconds since the epoch.

-- Settings that must survive a restart: the mode that staff chose, the fingerprint of the identity key.
CREATE TABLE groupreg_meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
)

-- The version of what every process keeps in memory; its row lock puts the changes in one order.
CREATE TABLE groupreg_version (
    only_row INTEGER PRIMARY KEY,
    version BIGINT NOT NULL
)

INSERT INTO groupreg_version (only_row, version) VALUES (1, 0)

-- What changed at each version, so that a process reloads no more than that.
CREATE TABLE groupreg_changes (
    version BIGINT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (version, subject_kind, subject)
)

CREATE TABLE groupreg_persons (
    person_id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE
)

CREATE TABLE groupreg_person_accounts (
    user_id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL
)

CREATE INDEX groupreg_person_accounts_person ON groupreg_person_accounts (person_id)

CREATE TABLE groupreg_identities (
    user_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    assurance INTEGER NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, provider)
)

-- Limits of their own, by subject: account:@a:b, person:ID, room:!r.
CREATE TABLE groupreg_limits (
    subject TEXT NOT NULL,
    quota TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (subject, quota)
)

-- One row a subject, locked while its places are counted.
CREATE TABLE groupreg_quotas (
    subject TEXT PRIMARY KEY
)

-- Places promised to an act that Synapse is carrying out; they lapse by themselves.
CREATE TABLE groupreg_reservations (
    subject TEXT NOT NULL,
    quota TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- For a member's place: the holder's membership event of that moment. A later one that leaves gives the place back.
    seen TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (subject, quota, holder)
)

CREATE INDEX groupreg_reservations_expiry ON groupreg_reservations (expires_ms)

CREATE TABLE groupreg_rooms (
    room_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    founder TEXT NOT NULL,
    successor TEXT,
    members BIGINT
)

CREATE INDEX groupreg_rooms_founder ON groupreg_rooms (founder)

CREATE TABLE groupreg_measures (
    id {identity},
    kind TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    entity TEXT NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    basis TEXT NOT NULL,
    author TEXT NOT NULL,
    start_ms BIGINT NOT NULL,
    until_ms BIGINT,
    review_ms BIGINT,
    lifted_ms BIGINT,
    lifted_by TEXT,
    lift_reason TEXT
)

CREATE INDEX groupreg_measures_subject ON groupreg_measures (subject_kind, subject)

CREATE TABLE groupreg_staff (
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
)

-- The act journal: append-only, written in the transaction of the act.
CREATE TABLE groupreg_acts (
    id {identity},
    ts_ms BIGINT NOT NULL,
    author TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT,
    before TEXT,
    after TEXT
)

-- only sqlite
CREATE TRIGGER groupreg_acts_no_update BEFORE UPDATE ON groupreg_acts
BEGIN
    SELECT RAISE(ABORT, 'groupreg_acts is append-only');
END

-- only sqlite
CREATE TRIGGER groupreg_acts_no_delete BEFORE DELETE ON groupreg_acts
BEGIN
    SELECT RAISE(ABORT, 'groupreg_acts is append-only');
END

-- SQLite's REPLACE deletes the row in its way without asking the trigger above.
-- only sqlite
CREATE TRIGGER groupreg_acts_no_replace BEFORE INSERT ON groupreg_acts
WHEN EXISTS (SELECT 1 FROM groupreg_acts WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'groupreg_acts is append-only');
END

-- only postgres
CREATE FUNCTION groupreg_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'groupreg_acts is append-only';
END $$

-- only postgres
CREATE TRIGGER groupreg_acts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON groupreg_acts
    FOR EACH STATEMENT EXECUTE FUNCTION groupreg_append_only()

-- Refusals, summed up by account, code and minute without losing the count.
CREATE TABLE groupreg_refusals (
    minute_ms BIGINT NOT NULL,
    account TEXT NOT NULL,
    code TEXT NOT NULL,
    attempt TEXT NOT NULL,
    dry INTEGER NOT NULL,
    room_id TEXT,
    count BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    PRIMARY KEY (minute_ms, account, code, attempt, dry)
)

-- Staged identities of a file import; nothing of it counts before the import is committed.
CREATE TABLE groupreg_imports (
    import_id TEXT PRIMARY KEY,
    author TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    reason TEXT
)

CREATE TABLE groupreg_import_rows (
    import_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    line BIGINT NOT NULL,
    assurance INTEGER NOT NULL,
    person_id TEXT,
    digest TEXT,
    PRIMARY KEY (import_id, user_id)
)

-- Groups whose labels leave somebody out, because their management is suspended: so that it is found again afterwards.
CREATE TABLE groupreg_left_out (
    room_id TEXT PRIMARY KEY
)

CREATE INDEX groupreg_measures_kind ON groupreg_measures (kind) WHERE lifted_ms IS NULL

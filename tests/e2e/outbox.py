# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a running server put into its outbox, read by its own key, also after the recorder has taken it away."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Self

from synapse_groupreg.homeserver import keys
from tests.database import TestDatabase, open_postgres, open_sqlite

if TYPE_CHECKING:
    from synapse_groupreg.rig import Homeserver
    from synapse_groupreg.storage.database import Transaction

Record = dict[str, Any]


class Tap:
    """Keeps a copy of each row that is put in from now on."""

    def __init__(self, server: Homeserver) -> None:
        place = server.files.database
        self.database: TestDatabase = (
            open_sqlite(server.files.folder / "homeserver.db") if place is None else open_postgres(place)
        )
        self._key = keys.load(str(server.files.folder / "groupreg"))
        self.database.do(self._install)

    def _install(self, txn: Transaction) -> None:
        txn.execute("CREATE TABLE tapped (id BIGINT, payload TEXT)")
        copy = "INSERT INTO tapped (id, payload) VALUES (NEW.id, NEW.payload);"
        if self.database.dialect == "sqlite":
            txn.execute(f"CREATE TRIGGER tap AFTER INSERT ON groupreg_outbox BEGIN {copy} END")
            return
        txn.execute(f"CREATE FUNCTION tap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {copy} RETURN NULL; END $$")
        txn.execute("CREATE TRIGGER tap AFTER INSERT ON groupreg_outbox FOR EACH ROW EXECUTE FUNCTION tap()")

    def records(self, **wanted: object) -> list[Record]:
        """The records with these values, in the order of their ids."""
        rows = self.database.rows("SELECT payload FROM tapped ORDER BY id")
        found = [json.loads(self._key.open(b64decode(payload))) for (payload,) in rows]
        return [one for one in found if all(one.get(name) == value for name, value in wanted.items())]

    def tables(self) -> str:
        """Everything in the module's own tables."""
        of_sqlite = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ?"
        of_postgres = "SELECT tablename FROM pg_tables WHERE tablename LIKE ?"
        names = self.database.rows(of_sqlite if self.database.dialect == "sqlite" else of_postgres, "groupreg%")
        return str({name: self.database.rows(f"SELECT * FROM {name}") for (name,) in [*names, ("tapped",)]})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints of an import: staged in chunks, recorded at once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from synapse_groupreg.errors import Conflict, Invalid, NotFound, Problem
from synapse_groupreg.policy import actions
from synapse_groupreg.storage import imports, people
from synapse_groupreg.storage.imports import ImportRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services

_GONE = "There is no such import; it may have been committed or given up. Start again with a new one."


class Importing:
    """Imports of identities from a file."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def begin(self, call: Call) -> Answer:
        """POST imports."""
        import_id = secrets.token_hex(16)
        now_ms = self._services.homeserver.now_ms()
        await self._services.database.run(
            "groupreg_import", imports.begin, import_id, call.staff.user_id, call.body.reason, now_ms
        )
        return {"id": import_id}

    async def stage(self, call: Call) -> Answer:
        """PUT imports/{import_id}/rows."""
        rows = [
            ImportRow(
                line=row.line,
                user_id=row.user_id,
                assurance=row.assurance,
                digest=None if row.reference is None else self._services.digest(row.reference),
                new_person_id=secrets.token_hex(16),
            )
            for row in call.body.rows
        ]
        staged = await self._services.database.run(
            "groupreg_import", _stage, call.path["import_id"], call.staff.user_id, rows
        )
        return {"rows": staged}

    async def commit(self, call: Call) -> Answer:
        """POST imports/{import_id}/commit."""
        import_id = call.path["import_id"]
        reason = await self._services.database.run("groupreg_import", _own, import_id, call.staff.user_id)
        action = actions.CommitImport(import_id=import_id, reason=reason)
        change = await self._services.actions.do(call.staff, action, dry_run=call.query.dry_run)
        return {"dry_run": change.dry_run, "changed": change.changed, **change.facts}

    async def discard(self, call: Call) -> Answer:
        """DELETE imports/{import_id}."""
        await self._services.database.run("groupreg_import", _discard, call.path["import_id"], call.staff.user_id)
        return {}


def _own(txn: Transaction, import_id: str, user_id: str) -> str | None:
    found = imports.author_and_reason(txn, import_id)
    if found is None or found[0] != user_id:
        raise NotFound(_GONE)
    return found[1]


def _stage(txn: Transaction, import_id: str, user_id: str, rows: Sequence[ImportRow]) -> int:
    _own(txn, import_id, user_id)
    existing = people.existing(txn, (row.user_id for row in rows))
    problems = []
    lines: dict[str, int] = {}
    for row in rows:
        before = lines.get(row.user_id) or imports.line_of(txn, import_id, row.user_id)
        if row.user_id not in existing:
            problems.append(Problem(f"line {row.line}, user_id", "must be an account of this server"))
        elif before is not None:
            problems.append(Problem(f"line {row.line}, user_id", f"must not stand twice; see line {before}"))
        lines.setdefault(row.user_id, row.line)
    if problems:
        raise Invalid(problems)
    return imports.stage(txn, import_id, rows)


def _discard(txn: Transaction, import_id: str, user_id: str) -> None:
    found = imports.author_and_reason(txn, import_id)
    if found is None or found[0] != user_id:
        raise Conflict(_GONE)
    imports.discard(txn, import_id)

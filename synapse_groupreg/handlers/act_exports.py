# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking for an export: the wish is written down, with who and why, before anything is shown (articles 6.3, 13.1)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.errors import Conflict
from synapse_groupreg.handlers.change import Change, Setting
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import exports, outbox
from synapse_groupreg.storage.entries import draft, given
from synapse_groupreg.storage.exports import ExportRow

if TYPE_CHECKING:
    from synapse_groupreg.policy.record_actions import Export
    from synapse_groupreg.storage.database import Transaction

KEPT_MS = 86_400_000
"""How long an export can be downloaded."""
NO_RECORDS = "This server keeps no records: its operator can set retention.enabled in the configuration."


def export(txn: Transaction, setting: Setting, action: Export) -> Change:
    """Write down who wants what, and why. For a subject, the recorder counts its records when it comes to this."""
    if setting.seal is None:
        raise Conflict(NO_RECORDS)
    export_id, author = setting.new_id(), setting.staff
    said = public(action)
    subject = action.mode == "subject"
    entry = draft(
        Kind.export,
        setting.now_ms,
        type="export",
        actor=author.user_id,
        room=action.room_id if subject else None,
        target=action.user_id if subject else None,
        details=given(reason=action.reason, text=json.dumps(asked(action), ensure_ascii=False, sort_keys=True)),
        facts={**said, "export": export_id, "roles": author.offices},
    )
    [outbox_id] = outbox.append(txn, [entry], setting.seal)
    request = json.dumps({"author": author.user_id, "wanted": attrs.asdict(action)}).encode()
    sealed = b64encode(setting.seal(request)).decode()
    exports.forget(txn, setting.now_ms - KEPT_MS)
    exports.insert(txn, ExportRow(id=export_id, made_ms=setting.now_ms, outbox_id=outbox_id, request=sealed))
    return Change(
        subject=action.room_id or action.user_id or action.log,
        before=None,
        after={**said, "basis": action.basis},
        facts={} if setting.trying else {"id": export_id},
    )


def public(action: Export) -> dict[str, Any]:
    """What everybody may read of an export: nothing that names anybody."""
    return {
        "case": action.case,
        "log": action.log,
        "mode": action.mode,
        "identities": action.identities,
        "content": action.content,
    }


def asked(action: Export) -> dict[str, Any]:
    """The legal basis, and the conditions that were given."""
    conditions = ("room_id", "user_id", "first", "end", "from_ms", "to_ms", "kinds", "types", "verdicts")
    found = {name: getattr(action, name) for name in conditions}
    return {"basis": action.basis, **{name: value for name, value in found.items() if value not in (None, ())}}

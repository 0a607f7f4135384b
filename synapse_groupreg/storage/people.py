# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse's own tables say about accounts: read only, and only through these functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from synapse_groupreg.storage.database import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

SETTINGS = "org.groupreg.settings"
"""Type of the account data in which a person's own client may keep `{"language": "ko"}`."""


def existing(txn: Transaction, user_ids: Iterable[str]) -> set[str]:
    """Those of the accounts that exist here."""
    return {str(row[0]) for row in select_in(txn, "SELECT name FROM users WHERE name IN ({})", user_ids)}


def can_read(txn: Transaction, user_id: str) -> bool:
    """Whether an account exists here and was not deactivated."""
    txn.execute("SELECT 1 FROM users WHERE name = ? AND deactivated = 0", (user_id,))
    return txn.fetchone() is not None


def admins(txn: Transaction) -> list[str]:
    """The server admins who can still act."""
    txn.execute("SELECT name FROM users WHERE admin = 1 AND deactivated = 0 ORDER BY name")
    return [str(row[0]) for row in txn.fetchall()]


def everybody(txn: Transaction) -> list[str]:
    """Every account of this server that was not deactivated."""
    txn.execute("SELECT name FROM users WHERE deactivated = 0")
    return [str(row[0]) for row in txn.fetchall()]


def has_threepid(txn: Transaction, user_id: str) -> bool:
    """Whether Synapse knows a verified e-mail address or telephone number of the account."""
    txn.execute("SELECT 1 FROM user_threepids WHERE user_id = ? LIMIT 1", (user_id,))
    return txn.fetchone() is not None


def accepted(txn: Transaction, user_ids: Iterable[str]) -> list[str]:
    """The versions of the agreement that these accounts accepted last, as Synapse's `user_consent` keeps them."""
    sql = "SELECT consent_version FROM users WHERE name IN ({}) AND consent_version <> ''"
    return sorted({str(row[0]) for row in select_in(txn, sql, user_ids)})


def names(txn: Transaction, room_id: str, user_ids: Iterable[str]) -> dict[str, str]:
    """The names that people chose, for those who have one: in a room, else in general."""
    wanted = list(user_ids)
    sql = "SELECT full_user_id, displayname FROM profiles WHERE full_user_id IN ({}) AND displayname <> ''"
    found = {str(row[0]): str(row[1]) for row in select_in(txn, sql, wanted)}
    sql = (
        "SELECT c.state_key, j.json FROM current_state_events c JOIN event_json j ON j.event_id = c.event_id"
        " WHERE c.state_key IN ({}) AND c.room_id = ? AND c.type = 'm.room.member' AND c.membership = 'join'"
    )
    for user_id, event in select_in(txn, sql, wanted, room_id):
        here = json.loads(event)["content"].get("displayname")
        if isinstance(here, str) and here:
            found[str(user_id)] = here
    return found


def language(txn: Transaction, user_id: str) -> str | None:
    """The language of an account: its own setting, else that of the newest client that asked for notifications."""
    txn.execute("SELECT content FROM account_data WHERE user_id = ? AND account_data_type = ?", (user_id, SETTINGS))
    row = txn.fetchone()
    content = json.loads(row[0]) if row else {}
    if isinstance(content.get("language"), str):
        return str(content["language"])
    txn.execute(
        "SELECT lang FROM pushers WHERE user_name = ? AND lang IS NOT NULL ORDER BY ts DESC LIMIT 1", (user_id,)
    )
    row = txn.fetchone()
    return None if row is None else str(row[0])


def new_device(txn: Transaction, user_id: str, since_ms: int) -> str | None:
    """The device of the session that an account began since then; None where it began several, or none."""
    txn.execute(
        "SELECT DISTINCT device_id FROM access_tokens WHERE user_id = ? AND last_validated >= ? LIMIT 2",
        (user_id, since_ms),
    )
    found = txn.fetchall()
    return str(found[0][0]) if len(found) == 1 and found[0][0] else None

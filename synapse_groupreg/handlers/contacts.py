# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""E-mail addresses and telephone numbers that Synapse verified: the lowest assurance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.storage import acts, changes, identity, people

if TYPE_CHECKING:
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction


async def contact_changed(database: Database, homeserver: Homeserver, user_id: str) -> None:
    """Follow an e-mail address or telephone number that Synapse verified, or that was removed."""
    if await database.run("groupreg_contact", _note_contact, user_id, homeserver.now_ms()):
        await homeserver.poke()


def _note_contact(txn: Transaction, user_id: str, now_ms: int) -> bool:
    before = identity.assurance_of(txn, user_id)
    if people.has_threepid(txn, user_id):
        identity.put(txn, user_id, identity.THREEPID, Assurance.contact, now_ms)
    else:
        identity.drop(txn, user_id, identity.THREEPID)
    after = identity.assurance_of(txn, user_id)
    if after is before:
        return False
    acts.append(
        txn,
        now_ms=now_ms,
        author=SERVER,
        action="verify",
        subject=user_id,
        reason="verified e-mail address or telephone number",
        before={"assurance": before.name},
        after={"assurance": after.name},
    )
    changes.publish(txn, {("account", user_id)}, now_ms)
    return True

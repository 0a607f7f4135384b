# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens once when the server starts, before it listens: migrations, the identity key, the mode, takeovers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.config import settings_of
from synapse_groupreg.errors import CannotStart
from synapse_groupreg.storage import acts, changes, identity, meta, outbox, people

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.config import GroupRegConfig, Mode
    from synapse_groupreg.storage.database import Transaction

SERVER = "server"
"""The author of acts that the server does by itself."""


def prepare(
    txn: Transaction,
    config: GroupRegConfig,
    key_fingerprint: str,
    now_ms: int,
    *,
    key_is_new: bool = False,
    notice_account: str | None = None,
) -> None:
    """Check that key and database belong together, and take over what was there before. Raises CannotStart."""
    check_key(txn, key_fingerprint, is_new=key_is_new)
    follow_configured_mode(txn, config.mode, now_ms)
    follow_configuration(txn, settings_of(config), now_ms)
    take_over_contacts(txn, now_ms)
    if notice_account is not None:
        claim_account(txn, notice_account)


def claim_account(txn: Transaction, user_id: str) -> None:
    """Take a name for the account that sends notices, before it is registered. Raises CannotStart if it is taken."""
    ours = f"{meta.OUR_ACCOUNT}{user_id}"
    if meta.get(txn, ours) is None and people.existing(txn, [user_id]):
        message = (
            f"notices.account: {user_id} is somebody's account already: choose another name there, which the module"
            " then registers by itself"
        )
        raise CannotStart(message)
    meta.put(txn, ours, "notices")


def check_key(txn: Transaction, fingerprint: str, *, is_new: bool) -> None:
    """Refuse a key that the references and the outbox in this database were not made with.

    Nobody would be recognised any more, and what waits in the outbox could not be read. `is_new`: there was no file.
    """
    stored = meta.get(txn, meta.IDENTITY_KEY)
    needed = identity.has_persons(txn) or outbox.waiting(txn, most=1)[0]
    if stored is not None and stored != fingerprint and needed:
        lacking = "is missing" if is_new else "is not the one that this database was made with"
        message = (
            f"the identity key, identity.key in identity.keys_path, {lacking}, so persons could"
            " not be recognised, nor records that wait be read: put the original key file back (it is the same for"
            " every worker)"
        )
        raise CannotStart(message)
    meta.put(txn, meta.IDENTITY_KEY, fingerprint)


def follow_configured_mode(txn: Transaction, mode: Mode, now_ms: int) -> None:
    """Let a mode that was edited in the configuration win over the one that staff chose before."""
    seen, chosen = meta.get(txn, meta.CONFIGURED_MODE), meta.get(txn, meta.MODE)
    if seen == mode:
        return
    meta.put(txn, meta.CONFIGURED_MODE, mode)
    meta.drop(txn, meta.MODE)
    acts.append(
        txn,
        now_ms=now_ms,
        author=SERVER,
        action="mode",
        subject="mode",
        reason="configuration",
        before=None if seen is None else {"mode": chosen or seen},
        after={"mode": mode},
    )
    changes.publish(txn, {changes.POLICY}, now_ms)


def follow_configuration(txn: Transaction, settings: Mapping[str, Any], now_ms: int) -> None:
    """Journal what an operator changed in the configuration since the last start. The mode is an act of its own."""
    known = meta.get(txn, meta.CONFIGURATION)
    before = None if known is None else json.loads(known)
    after = json.loads(json.dumps(dict(settings)))  # as it will be read again
    if before == after:
        return
    meta.put(txn, meta.CONFIGURATION, json.dumps(after, sort_keys=True))
    if before is not None:
        changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        acts.append(
            txn,
            now_ms=now_ms,
            author=SERVER,
            action="configure",
            subject="configuration",
            reason="configuration",
            before={path: before.get(path) for path in changed},
            after={path: after.get(path) for path in changed},
        )


def take_over_contacts(txn: Transaction, now_ms: int) -> None:
    """Give `contact` once to the accounts whose e-mail address or telephone number was verified before the module."""
    if meta.get(txn, meta.CONTACTS_TAKEN_OVER) is not None:
        return
    taken = identity.take_over_contacts(txn, now_ms)
    meta.put(txn, meta.CONTACTS_TAKEN_OVER, str(now_ms))
    if taken:
        acts.append(
            txn,
            now_ms=now_ms,
            author=SERVER,
            action="verify",
            subject="verified e-mail addresses and telephone numbers",
            reason="first start",
            before=None,
            after={"accounts": taken, "assurance": "contact"},
        )
        changes.publish(txn, {changes.EVERYTHING}, now_ms)

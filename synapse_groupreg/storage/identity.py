# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identities: which provider verified which account how well, and which accounts belong to one person (article 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.storage.database import select_in
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.storage.database import Transaction

THREEPID = "threepid"
"""The provider of verified e-mail addresses and telephone numbers: Synapse itself."""


@frozen(kw_only=True)
class Identity:
    """What one provider says about an account."""

    provider: str
    assurance: Assurance
    since_ms: int


def of_account(txn: Transaction, user_id: str) -> list[Identity]:
    """What every provider says about an account, the best first."""
    txn.execute(
        "SELECT provider, assurance, since_ms FROM groupreg_identities WHERE user_id = ?"
        " ORDER BY assurance DESC, provider",
        (user_id,),
    )
    return [Identity(provider=row[0], assurance=Assurance(row[1]), since_ms=row[2]) for row in txn.fetchall()]


def assurance_of(txn: Transaction, user_id: str) -> Assurance:
    """The best assurance that any provider gives."""
    return max((identity.assurance for identity in of_account(txn, user_id)), default=Assurance.none)


def put(txn: Transaction, user_id: str, provider: str, assurance: Assurance, now_ms: int) -> None:
    """Record what a provider says; unchanged if it said so before."""
    txn.execute(
        "INSERT INTO groupreg_identities (user_id, provider, assurance, since_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (user_id, provider) DO UPDATE SET assurance = excluded.assurance, since_ms = excluded.since_ms"
        " WHERE groupreg_identities.assurance <> excluded.assurance",
        (user_id, provider, assurance.value, now_ms),
    )


def drop(txn: Transaction, user_id: str, provider: str) -> bool:
    """Forget what one provider said; whether there was anything."""
    txn.execute("DELETE FROM groupreg_identities WHERE user_id = ? AND provider = ?", (user_id, provider))
    return txn.rowcount > 0


def drop_by_staff(txn: Transaction, user_id: str) -> None:
    """Forget everything but what Synapse itself verified, and the link to the person."""
    txn.execute("DELETE FROM groupreg_identities WHERE user_id = ? AND provider <> ?", (user_id, THREEPID))
    txn.execute("DELETE FROM groupreg_person_accounts WHERE user_id = ?", (user_id,))


def person_of(txn: Transaction, user_id: str) -> str | None:
    """The person that an account is linked to."""
    txn.execute("SELECT person_id FROM groupreg_person_accounts WHERE user_id = ?", (user_id,))
    row = txn.fetchone()
    return None if row is None else str(row[0])


def person_by_digest(txn: Transaction, digest: str, new_id: str) -> str:
    """The person behind a digest; made under `new_id` if there is none yet."""
    txn.execute(
        "INSERT INTO groupreg_persons (person_id, digest) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
        (new_id, digest),
    )
    txn.execute("SELECT person_id FROM groupreg_persons WHERE digest = ?", (digest,))
    return str(txn.fetchone()[0])


def link(txn: Transaction, user_id: str, person_id: str) -> None:
    """Link an account to a person."""
    txn.execute(
        "INSERT INTO groupreg_person_accounts (user_id, person_id) VALUES (?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET person_id = excluded.person_id",
        (user_id, person_id),
    )


def accounts_of(txn: Transaction, person_id: str) -> list[str]:
    """The accounts of a person."""
    txn.execute("SELECT user_id FROM groupreg_person_accounts WHERE person_id = ? ORDER BY user_id", (person_id,))
    return [str(row[0]) for row in txn.fetchall()]


def families(txn: Transaction, person_ids: Iterable[str]) -> dict[str, list[str]]:
    """The accounts of several persons."""
    sql = "SELECT person_id, user_id FROM groupreg_person_accounts WHERE person_id IN ({})"
    found: dict[str, list[str]] = {}
    for person, user_id in sorted(select_in(txn, sql, person_ids)):
        found.setdefault(str(person), []).append(str(user_id))
    return found


def relatives(txn: Transaction, user_id: str) -> list[str]:
    """All accounts of the person behind an account, itself included."""
    person = person_of(txn, user_id)
    return [user_id] if person is None else accounts_of(txn, person)


def persons_of(txn: Transaction, user_ids: Iterable[str]) -> dict[str, str]:
    """The persons of several accounts, for those that are linked."""
    sql = "SELECT user_id, person_id FROM groupreg_person_accounts WHERE user_id IN ({})"
    return dict(select_in(txn, sql, user_ids))


def has_persons(txn: Transaction) -> bool:
    """Whether any reference was ever digested."""
    txn.execute("SELECT 1 FROM groupreg_persons LIMIT 1")
    return txn.fetchone() is not None


def take_over_contacts(txn: Transaction, now_ms: int) -> int:
    """Give `contact` to every account that has a verified e-mail address or telephone number; how many."""
    txn.execute(
        "INSERT INTO groupreg_identities (user_id, provider, assurance, since_ms)"
        " SELECT DISTINCT user_id, ?, ?, ? FROM user_threepids WHERE true"
        " ON CONFLICT (user_id, provider) DO NOTHING",
        (THREEPID, Assurance.contact.value, now_ms),
    )
    return txn.rowcount

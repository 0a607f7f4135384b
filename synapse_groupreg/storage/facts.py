# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process keeps in memory to judge without SQL: read whole at start, then only what changed.

INVARIANT: the version is read before anything else. Whatever was committed after that is read again with a later
version, so it doesn't matter on which side of it, or between which pages, a row was met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import GLOBS, Measure, SubjectKind
from synapse_groupreg.storage import changes, identity, measures, meta, mutes, reported, rooms, staff
from synapse_groupreg.storage.database import pages, select_in
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_groupreg.policy.mutes import Mute
    from synapse_groupreg.policy.staff import StaffRole
    from synapse_groupreg.storage.database import Transaction


@frozen(kw_only=True)
class Facts:
    """Either everything, or what there is now about the subjects that changed."""

    version: int
    everything: bool
    subjects: frozenset[changes.Subject]
    mode: str | None
    assurances: dict[str, Assurance]
    """Of the accounts that changed; where everything is read, `every_assurance` has them, a page at a time."""
    account_measures: dict[str, tuple[Measure, ...]]
    room_measures: dict[str, tuple[Measure, ...]]
    mutes: dict[str, tuple[Mute, ...]]
    """By account: its own, and those of whoever else is the same person."""
    globs: tuple[Measure, ...]
    """The measures on servers and on globs of accounts and rooms: always all of them."""
    emergencies: tuple[Measure, ...]
    """The measures on everybody."""
    slow: dict[str, int]
    """The groups in slow mode: how many milliseconds lie between two posts of somebody."""
    rooms: dict[str, rooms.RoomRow]
    """Large and replaced ones among those that changed; where everything is read, see `rooms.every_exceptional`."""
    staff: dict[str, frozenset[StaffRole]]
    unrecorded_since_ms: int | None = None
    """Since when the recorder has a problem."""


def since(txn: Transaction, version: int | None, now_ms: int) -> Facts | None:
    """What changed after a version, or everything for None; None when nothing did."""
    news = (
        changes.News(changes.current(txn), frozenset(), everything=True)
        if version is None
        else changes.since(txn, version)
    )
    if not news.everything and not news.subjects:
        return None
    accounts = None if news.everything else {subject for kind, subject in news.subjects if kind == "account"}
    changed_rooms = None if news.everything else {subject for kind, subject in news.subjects if kind == "room"}
    return Facts(
        version=news.version,
        everything=news.everything,
        subjects=news.subjects,
        mode=meta.get(txn, meta.MODE),
        assurances=_assurances(txn, accounts or ()),
        account_measures=_account_measures(txn, accounts, now_ms),
        room_measures=_by_subject(_measures(txn, SubjectKind.room, changed_rooms, now_ms)),
        mutes=mutes.by_account(txn, accounts, now_ms),
        globs=tuple(measures.of_kinds(txn, GLOBS, now_ms)),
        emergencies=tuple(measures.of_kinds(txn, [SubjectKind.everybody], now_ms)),
        slow=rooms.slow_ones(txn, changed_rooms),
        rooms={row.room_id: row for row in rooms.exceptional(txn, changed_rooms or ())},
        staff=staff.everybody(txn),
        unrecorded_since_ms=(reported.problem(txn) or {}).get("since_ms"),
    )


def every_assurance(txn: Transaction) -> Iterator[tuple[str, Assurance]]:
    """Every account that somebody verified, and how well it is. All rows at once would take 20 MiB of 100,000."""
    sql = (
        "SELECT user_id, max(assurance) FROM groupreg_identities WHERE user_id > ?"
        " GROUP BY user_id ORDER BY user_id LIMIT ?"
    )
    for user_id, assurance in pages(txn, sql):
        yield user_id, Assurance(assurance)


def _assurances(txn: Transaction, accounts: Iterable[str]) -> dict[str, Assurance]:
    sql = "SELECT user_id, max(assurance) FROM groupreg_identities WHERE user_id IN ({}) GROUP BY user_id"
    return {row[0]: Assurance(row[1]) for row in select_in(txn, sql, accounts)}


def _account_measures(txn: Transaction, accounts: set[str] | None, now_ms: int) -> dict[str, tuple[Measure, ...]]:
    """Measures by account. One on an account or on a person binds every account of that person."""
    if accounts is None:
        accounts = _with_measures(txn, now_ms)
    persons = identity.persons_of(txn, accounts)
    family = identity.families(txn, set(persons.values()))
    everybody = accounts.union(*family.values())
    on_accounts = _by_subject(measures.of_subjects(txn, SubjectKind.account, everybody, now_ms))
    on_persons = _by_subject(measures.of_subjects(txn, SubjectKind.person, family, now_ms))
    found: dict[str, tuple[Measure, ...]] = {}
    for account in accounts:
        person = persons.get(account)
        relatives = family[person] if person is not None else [account]
        own = [measure for relative in relatives for measure in on_accounts.get(relative, ())]
        both = (*own, *(on_persons.get(person, ()) if person is not None else ()))
        if both:
            found[account] = both
    return found


def _with_measures(txn: Transaction, now_ms: int) -> set[str]:
    subjects: dict[SubjectKind, set[str]] = {SubjectKind.account: set(), SubjectKind.person: set()}
    for measure in measures.of_kinds(txn, subjects, now_ms):
        subjects[measure.subject_kind].add(measure.subject)
    accounts = subjects[SubjectKind.account]
    persons = subjects[SubjectKind.person].union(identity.persons_of(txn, accounts).values())
    return accounts.union(*identity.families(txn, persons).values())


def _measures(txn: Transaction, kind: SubjectKind, subjects: Iterable[str] | None, now_ms: int) -> list[Measure]:
    if subjects is not None:
        return measures.of_subjects(txn, kind, subjects, now_ms)
    return measures.of_kinds(txn, [kind], now_ms)


def _by_subject(found: Iterable[Measure]) -> dict[str, tuple[Measure, ...]]:
    by: dict[str, tuple[Measure, ...]] = {}
    for measure in found:
        by[measure.subject] = (*by.get(measure.subject, ()), measure)
    return by

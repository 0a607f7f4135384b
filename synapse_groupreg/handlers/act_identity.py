# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verified identities (article 6), one by one or from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import Conflict, NotFound
from synapse_groupreg.handlers.act_staff import require_account
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.snapshot import touched_accounts
from synapse_groupreg.policy.measures import SubjectKind
from synapse_groupreg.storage import changes, identity, imports, measures, quotas
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.policy.actions import CommitImport, Unverify, Verify
    from synapse_groupreg.storage.changes import Subject
    from synapse_groupreg.storage.database import Transaction


def verify(txn: Transaction, setting: Setting, action: Verify) -> Change:
    """Record what a provider found out, and link the account to the person whom the reference names."""
    require_account(txn, action.user_id)
    before, family = _facts(txn, action.user_id), relatives(txn, action.user_id)
    person_before = identity.person_of(txn, action.user_id)
    identity.put(txn, action.user_id, action.provider, action.assurance, setting.now_ms)
    if action.digest is not None:
        person = identity.person_by_digest(txn, action.digest, setting.new_id())
        _keep_measures(txn, setting, action.user_id, person)
        identity.link(txn, action.user_id, person)
        quotas.carry_limits(txn, action.user_id, person)
    after = _facts(txn, action.user_id)
    if before["person"] and identity.person_of(txn, action.user_id) != person_before:
        after["person"] = "another"
    return Change(
        subject=action.user_id,
        before=before,
        after=after,
        touched=frozenset(touched_accounts([*family, *relatives(txn, action.user_id)])),
    )


def unverify(txn: Transaction, setting: Setting, action: Unverify) -> Change:
    """Take back what staff recorded; a verified address that Synapse knows still counts."""
    require_account(txn, action.user_id)
    before, family = _facts(txn, action.user_id), relatives(txn, action.user_id)
    _keep_measures(txn, setting, action.user_id, None)
    identity.drop_by_staff(txn, action.user_id)
    return Change(
        subject=action.user_id,
        before=before,
        after=_facts(txn, action.user_id),
        touched=frozenset(touched_accounts([action.user_id, *family])),
    )


def commit_import(txn: Transaction, setting: Setting, action: CommitImport) -> Change:
    """Record every identity of a staged file, or none."""
    if imports.author_and_reason(txn, action.import_id) is None:
        message = "There is no such import; it may have been committed already. Start again with a new one."
        raise NotFound(message)
    users = imports.users(txn, action.import_id)
    for user_id, person in imports.new_persons(txn, action.import_id):
        _keep_measures(txn, setting, user_id, person)
    touched = _touched_by_import(txn, users)
    imports.journal(txn, action.import_id, setting.staff.user_id, action.reason, setting.now_ms)
    tally = imports.commit(txn, action.import_id, setting.now_ms)
    figures = {"accounts": tally.accounts, "linked": tally.linked, "unchanged": tally.unchanged}
    changed = bool(tally.accounts or tally.linked)
    return Change(
        subject=f"import {action.import_id}",
        before=None,
        after=figures if changed else None,
        touched=touched | _touched_by_import(txn, users),
        facts=figures,
    )


def _touched_by_import(txn: Transaction, users: list[str]) -> frozenset[Subject]:
    if len(users) > 1:
        return frozenset({changes.EVERYTHING})
    return frozenset(touched_accounts(one for user_id in users for one in relatives(txn, user_id)))


def _facts(txn: Transaction, user_id: str) -> Facts:
    """What the journal and the answer show: never the reference."""
    return {
        "assurance": identity.assurance_of(txn, user_id).name,
        "identities": {one.provider: one.assurance.name for one in identity.of_account(txn, user_id)},
        "person": None if identity.person_of(txn, user_id) is None else "known",
        "linked_accounts": [one for one in relatives(txn, user_id) if one != user_id],
    }


def _keep_measures(txn: Transaction, setting: Setting, user_id: str, new_person: str | None) -> None:
    """Refuse to take an account away from a person on whom a measure lies: it would slip out from under it."""
    person = identity.person_of(txn, user_id)
    if person is None or person == new_person:
        return
    found = measures.of_subjects(txn, SubjectKind.person, [person], setting.now_ms)
    family = identity.accounts_of(txn, person)
    if len(family) > 1:  # one from before they were linked binds them all, for as long as they are
        found += measures.of_subjects(txn, SubjectKind.account, family, setting.now_ms)
    if found:
        message = f"Measure {found[0].id} lies on the person behind {user_id}: lift it before you change the link."
        raise Conflict(message)

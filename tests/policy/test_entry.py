# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may enter a room: the whole table."""

from __future__ import annotations

import itertools

import pytest

from synapse_groupreg.policy.entry import Entry, may_enter

MEMBERSHIPS = ("join", "invite", "leave", "knock", None, "ban")
RULES = ("public", "invite", "knock", "restricted", "knock_restricted", "private", "unknown", "")
OPEN = {"public"}
OPEN_TO_MEMBERS_OF_ALLOWED_ROOMS = {"public", "restricted", "knock_restricted"}


@pytest.mark.parametrize(
    ("membership", "join_rule", "in_allowed_room"), list(itertools.product(MEMBERSHIPS, RULES, (False, True)))
)
def test_the_table_of_the_specification(membership: str | None, join_rule: str, in_allowed_room: bool) -> None:
    if membership in ("join", "invite"):
        expected = True
    elif membership == "ban":
        expected = False
    else:
        expected = join_rule in (OPEN_TO_MEMBERS_OF_ALLOWED_ROOMS if in_allowed_room else OPEN)
    assert may_enter(Entry(membership=membership, join_rule=join_rule, in_allowed_room=in_allowed_room)) is expected

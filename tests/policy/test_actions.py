# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which role may do what: the whole matrix, written out a second time."""

from __future__ import annotations

import itertools

import pytest

from synapse_groupreg.policy.staff import ROLES, Right, Staff, StaffRole

#                         anybody  operator reviewer identity inspector admin
MATRIX = {
    Right.read_policy: "yes     yes      yes      yes      yes       yes",
    Right.read_status: "no      yes      yes      yes      yes       yes",
    Right.read_plan: "no      yes      no       no       yes       yes",
    Right.set_mode: "no      yes      no       no       no        yes",
    Right.read_account: "no      yes      yes      yes      yes       yes",
    Right.verify: "no      no       no       yes      no        yes",
    Right.limit_account: "no      yes      no       no       no        yes",
    Right.read_rooms: "no      yes      yes      no       yes       yes",
    Right.cap_room: "no      yes      no       no       no        yes",
    Right.label_room: "yes     yes      yes      yes      yes       yes",
    Right.look_after: "yes     yes      yes      yes      yes       yes",
    Right.read_measures: "no      yes      yes      no       yes       yes",
    Right.impose: "no      no       yes      no       no        yes",
    Right.emergency: "no      yes      yes      no       no        yes",
    Right.appeal: "yes     yes      yes      yes      yes       yes",
    Right.read_appeals: "no      no       yes      no       yes       yes",
    Right.decide_appeals: "no      no       yes      no       no        yes",
    Right.read_packets: "no      no       yes      no       yes       yes",
    Right.make_packets: "no      no       yes      no       no        yes",
    Right.read_proposals: "no      yes      yes      no       yes       yes",
    Right.decide: "no      no       yes      no       no        yes",
    Right.read_staff: "no      yes      yes      yes      yes       yes",
    Right.grant: "no      no       no       no       no        yes",
    Right.read_acts: "no      yes      yes      no       yes       yes",
    Right.read_refusals: "no      yes      yes      no       yes       yes",
    Right.read_notices: "no      yes      yes      no       yes       yes",
    Right.read_keeping: "no      yes      no       no       yes       yes",
    Right.keep_records: "no      yes      no       no       no        yes",
    Right.erase_records: "no      yes      no       no       no        yes",
    Right.export_records: "no      no       no       no       yes       yes",
    Right.search_records: "no      no       no       no       yes       yes",
}
WHO = {
    "anybody": Staff(user_id="@a:b"),
    **{role.value: Staff(user_id="@a:b", roles=frozenset({role})) for role in StaffRole},
    "admin": Staff(user_id="@a:b", admin=True),
}


@pytest.mark.parametrize(("right", "column"), list(itertools.product(Right, range(len(WHO)))))
def test_the_matrix(right: Right, column: int) -> None:
    who = list(WHO)[column]
    assert WHO[who].may(right) is (MATRIX[right].split()[column] == "yes"), f"{who}: {right}"


@pytest.mark.parametrize("right", Right)
def test_several_roles_add_up(right: Right) -> None:
    for roles in itertools.combinations(StaffRole, 2):
        either = any(WHO[role.value].may(right) for role in roles)
        assert Staff(user_id="@a:b", roles=frozenset(roles)).may(right) is either


def test_an_inspector_changes_nothing() -> None:
    changing = {
        Right.set_mode,
        Right.verify,
        Right.limit_account,
        Right.cap_room,
        Right.impose,
        Right.emergency,
        Right.decide,
        Right.keep_records,
        Right.erase_records,
        Right.grant,
    }
    assert {right for right in Right if StaffRole.inspector in ROLES[right]}.isdisjoint(changing)


def test_every_right_has_its_row() -> None:
    assert set(ROLES) == set(MATRIX) == set(Right)

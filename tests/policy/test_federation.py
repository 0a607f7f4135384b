# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Groups closed to other servers."""

from __future__ import annotations

import attrs
import pytest

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.federation import FederationClosed, guests_are_local
from synapse_groupreg.policy.types import Account, Found, RoomKind
from tests.policy.samples import ALICE, BOB, REMOTE, config

GROUP, DIRECT, SPACE = RoomKind.group, RoomKind.direct, RoomKind.space


@pytest.mark.parametrize(
    ("federation", "kind", "invitees", "refused"),
    [
        ("closed", GROUP, (), False),
        ("closed", GROUP, (BOB,), False),
        ("closed", GROUP, (REMOTE,), True),
        ("closed", GROUP, (BOB, REMOTE), True),
        ("closed", SPACE, (REMOTE,), True),
        ("closed", DIRECT, (REMOTE,), False),
        ("open", GROUP, (BOB, REMOTE), False),
        ("open", SPACE, (REMOTE,), False),
    ],
)
def test_a_closed_group_begins_without_guests_from_elsewhere(
    federation: str,
    kind: RoomKind,
    invitees: tuple[Account, ...],
    refused: bool,
) -> None:
    attempt = Found(actor=ALICE, kind=kind, invitees=invitees)
    assert guests_are_local(attempt, config(federation=federation)) == (FederationClosed() if refused else None)


def test_nobody_is_exempt_from_what_could_not_work() -> None:
    attempt = Found(actor=attrs.evolve(ALICE, exempt=True), invitees=(REMOTE,))
    assert judge(attempt, config()).violations == (FederationClosed(),)

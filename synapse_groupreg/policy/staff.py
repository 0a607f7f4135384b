# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what: each right a row of one table (article 5.4)."""

from __future__ import annotations

import enum

from synapse_groupreg.values import frozen

MANY_ACCOUNTS = 20
"""Accounts of this server that one member of staff may bar with one act."""


class StaffRole(enum.StrEnum):
    """Roles smaller than server admin."""

    operator = "operator"
    """Runs the rules: mode, caps and limits."""
    reviewer = "reviewer"
    """Decides measures, the blacklist among them."""
    identity_officer = "identity_officer"
    """Verifies identities."""
    inspector = "inspector"
    """Reads everything, changes nothing."""


class Right(enum.StrEnum):
    """What an endpoint asks for."""

    read_policy = "read policy"
    read_status = "read status"
    read_plan = "read plan"
    set_mode = "set mode"
    read_account = "read accounts"
    verify = "verify identities"
    limit_account = "limit accounts"
    read_rooms = "read rooms"
    cap_room = "cap rooms"
    label_room = "label groups of one's own"
    look_after = "look after groups of one's own"
    read_measures = "read measures"
    impose = "impose measures"
    emergency = "switch emergencies"
    appeal = "appeal against measures on oneself or one's group"
    read_appeals = "read appeals"
    decide_appeals = "decide appeals"
    read_packets = "read report packets"
    make_packets = "make report packets"
    read_proposals = "read proposals"
    decide = "decide on proposals"
    read_staff = "read staff"
    grant = "grant staff roles"
    read_acts = "read acts"
    read_refusals = "read refusals"
    read_notices = "read notices"
    read_keeping = "read holds and erasures"
    keep_records = "keep records"
    erase_records = "erase records"
    search_records = "search records"
    export_records = "export records"


_ALL = frozenset(StaffRole)
_RUN = frozenset({StaffRole.operator})
_DECIDE = frozenset({StaffRole.reviewer})
_IDENTIFY = frozenset({StaffRole.identity_officer})
_INSPECT = frozenset({StaffRole.inspector})
_JUDGE = frozenset({StaffRole.reviewer, StaffRole.inspector})
_WATCH = frozenset({StaffRole.operator, StaffRole.reviewer, StaffRole.inspector})

ROLES: dict[Right, frozenset[StaffRole]] = {
    Right.read_policy: _ALL,  # every account may, see EVERYBODY
    Right.read_status: _ALL,
    Right.read_plan: frozenset({StaffRole.operator, StaffRole.inspector}),
    Right.set_mode: _RUN,
    Right.read_account: _ALL,  # and everybody their own
    Right.verify: _IDENTIFY,
    Right.limit_account: _RUN,
    Right.read_rooms: _WATCH,
    Right.cap_room: _RUN,
    Right.label_room: _ALL,  # every account may, see EVERYBODY; in groups that it founded
    Right.look_after: _ALL,  # every account may, see EVERYBODY; in groups that it founded or manages
    Right.read_measures: _WATCH,
    Right.impose: _DECIDE,
    Right.emergency: frozenset({StaffRole.operator, StaffRole.reviewer}),
    Right.appeal: _ALL,  # every account may, see EVERYBODY; where it is concerned
    Right.read_appeals: _JUDGE,  # and everybody their own
    Right.decide_appeals: _DECIDE,
    Right.read_packets: _JUDGE,
    Right.make_packets: _DECIDE,
    Right.read_proposals: _WATCH,
    Right.decide: _DECIDE,  # and what the proposed act itself needs
    Right.read_staff: _ALL,
    Right.grant: frozenset(),  # server admins only
    Right.read_acts: _WATCH,
    Right.read_refusals: _WATCH,
    Right.read_notices: _WATCH,
    Right.read_keeping: frozenset({StaffRole.operator, StaffRole.inspector}),
    Right.keep_records: _RUN,
    Right.erase_records: _RUN,
    Right.search_records: _INSPECT,  # and everybody their own
    Right.export_records: _INSPECT,
}
"""Which roles have a right. A server admin has every right."""
EVERYBODY = frozenset({Right.read_policy, Right.label_room, Right.look_after, Right.appeal})
"""Rights of every account of this server."""


@frozen(kw_only=True)
class Staff:
    """Who acts: an account with the roles that it was granted."""

    user_id: str
    roles: frozenset[StaffRole] = frozenset()
    admin: bool = False

    @property
    def offices(self) -> list[str]:
        """In which offices an account acts, for those who may know that but not who it is."""
        return [*(["server admin"] if self.admin else []), *sorted(role.value for role in self.roles)]

    def may(self, right: Right) -> bool:
        """Whether the table gives this right to one of the roles."""
        return self.admin or right in EVERYBODY or not self.roles.isdisjoint(ROLES[right])

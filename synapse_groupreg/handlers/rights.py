# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may do what, asked of the table in `policy/staff.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.errors import NotPermitted
from synapse_groupreg.policy.staff import ROLES

if TYPE_CHECKING:
    from synapse_groupreg.policy.staff import Right, Staff


def require(staff: Staff, right: Right) -> None:
    """Raise NotPermitted, naming the roles that would be right."""
    if staff.may(right):
        return
    roles = " or ".join(sorted(role.value for role in ROLES[right]))
    need = f"need the role {roles}; a server admin can grant it" if roles else "must be a server admin; ask one"
    message = f"To {right.value} you {need}."
    raise NotPermitted(message)

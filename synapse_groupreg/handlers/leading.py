# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who looks after a group, and what stands in the way of what they want to do in it (article 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg import texts
from synapse_groupreg.errors import Conflict, NotFound, NotPermitted
from synapse_groupreg.handlers import views
from synapse_groupreg.handlers.roles import LEADING, role_of
from synapse_groupreg.handlers.wording import RULES_PATH
from synapse_groupreg.policy import judge
from synapse_groupreg.policy.blacklist import matches
from synapse_groupreg.policy.commands import write
from synapse_groupreg.policy.roles import Role
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.policy.types import Account, Found, Manage, Room, RoomKind
from synapse_groupreg.storage import identity, meta, numbers, people, quotas, rooms

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig, Mode
    from synapse_groupreg.handlers.change import Setting
    from synapse_groupreg.policy.types import Violation
    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.rooms import RoomRow


class Hindered(Conflict):
    """Something stands in the way of this."""

    def __init__(self, key: str, **facts: object) -> None:
        self.key = f"hindrance.{key}"
        self.facts = facts
        super().__init__(texts.text(self.key, "en", **facts))


class NotYours(NotPermitted):
    """Only those who look after a group can do this."""

    def __init__(self, key: str) -> None:
        self.key = f"hindrance.{key}"
        super().__init__(texts.text(self.key, "en"))


class Cut(NotPermitted):
    """A rule keeps you from this."""

    def __init__(self, violation: Violation, attempt: Manage | Found, public_baseurl: str) -> None:
        self.violation = violation
        self.attempt = attempt.name
        self.room_id = attempt.room.room_id if isinstance(attempt, Manage) and attempt.room is not None else None
        info = f"{public_baseurl}{RULES_PATH}#{violation.code}"
        super().__init__(texts.refusal(violation.code, "en", info=info, attempt=self.attempt, **violation.facts()))


def find(txn: Transaction, named: str) -> RoomRow | None:
    """The room of an id or a number, if this server is in it. Raises NotFound for what can be neither."""
    room_id = named if named.startswith("!") else numbers.find(txn, views.read_number(named))
    return None if room_id is None else rooms.ensure(txn, room_id)


def led(txn: Transaction, setting: Setting, named: str, roles: tuple[Role, ...] = LEADING) -> RoomRow:
    """The group of this id or number, for who has one of these roles in it and isn't kept from managing it.

    Raises NotPermitted, or NotFound where there is none, which who is neither in the group nor staff is told too.
    """
    row = find(txn, named)
    role = None if row is None else role_of(txn, row.room_id, setting.staff.user_id, setting.config)
    if row is None or role not in roles:
        raise not_yours(txn, setting, named, row, "not-leading" if Role.manager in roles else "not-founder")
    open_group(txn, setting, row)
    let_manage(txn, setting, row)
    return row


def not_yours(txn: Transaction, setting: Setting, named: str, row: RoomRow | None, key: str) -> NotYours | NotFound:
    """What says that somebody can't do this; to who is neither in the group nor staff, only that there is none."""
    if row is not None:
        role = role_of(txn, row.room_id, setting.staff.user_id, setting.config)
        if role is not None or setting.staff.may(Right.read_rooms):
            return NotYours(key)
    return NotFound(texts.text("hindrance.unknown", "en", group=named, mine=write("info")))


def open_group(txn: Transaction, setting: Setting, row: RoomRow) -> None:
    """Refuse what is no group, or one no more."""
    if row.kind is not RoomKind.group:
        raise Hindered("no-group")
    if quotas.is_replaced(txn, row, setting.now_ms):
        raise Hindered("replaced")


def enforced(txn: Transaction, config: GroupRegConfig, code: str) -> bool:
    """Whether what this code stands for is refused now, and not only counted."""
    return _mode(txn, config) == "enforce" and code not in config.dry_run


def let_manage(txn: Transaction, setting: Setting, row: RoomRow) -> None:
    """Refuse what the gate would refuse too: whose management is suspended, or who is barred, manages nothing."""
    measures = views.on_room(txn, row.room_id, setting.now_ms)
    room = Room(room_id=row.room_id, measures=measures, members=row.members or 0)
    let(txn, setting, Manage(actor=account_of(txn, setting), room=room))


def let(txn: Transaction, setting: Setting, attempt: Manage | Found) -> None:
    """Refuse what the rules refuse. Raises Cut."""
    refusing = judge(attempt, setting.config).refusing(_mode(txn, setting.config), setting.config.dry_run)
    if refusing:
        raise Cut(refusing[0], attempt, setting.public_baseurl)


def account_of(txn: Transaction, setting: Setting) -> Account:
    """Who acts, as the rules see them."""
    user_id = setting.staff.user_id
    return Account(
        user_id=user_id,
        assurance=identity.assurance_of(txn, user_id),
        measures=views.on_account(txn, user_id, setting.now_ms),
        exempt=user_id in people.admins(txn) or any(matches(glob, user_id) for glob in setting.config.exempt),
    )


def _mode(txn: Transaction, config: GroupRegConfig) -> Mode:
    chosen = meta.get(txn, meta.MODE) or config.mode
    return "dry" if chosen == "dry" else "enforce"

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shortest words for what happens to places, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers import places
from synapse_groupreg.policy.quotas import LOCAL_RESERVATION_MS
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import identity, quotas
from tests.storage import seed
from tests.storage.world import CONFIG, account, found_by, join_of, upgrade_of
from tests.storage.world import Place as Named

if TYPE_CHECKING:
    from synapse_groupreg.handlers.places import Outcome
    from tests.database import TestDatabase

NOW = 1_000_000
LATER = NOW + LOCAL_RESERVATION_MS
ANN, ABE, BEN, CAT, DAN = (seed.local(name) for name in ("ann", "abe", "ben", "cat", "dan"))


class Scene:
    """A database, and the shortest words for what happens in it."""

    def __init__(self, db: TestDatabase) -> None:
        self.db = db
        self.now_ms = NOW

    def taker(self) -> places.Taker:
        return places.Taker(config=CONFIG, dialect=self.db.dialect, mode="enforce", now_ms=self.now_ms, account=account)

    def room(self, creator: str = ANN, kind: RoomKind | None = RoomKind.group, **how: Any) -> str:
        how = {"join_rule": "public" if kind is RoomKind.group else "invite", **how}
        return str(self.db.do(lambda txn: seed.make_room(txn, creator, kind=kind, **how)))

    def be(self, room_id: str, user: str, membership: str, **how: Any) -> None:
        self.db.do(seed.set_membership, room_id, user, membership, **how)

    def join(self, user: str, room_id: str, *, invited: bool = False) -> Outcome:
        return self.db.do(places.join, self.taker(), join_of(user, named(room_id)), invited=invited)

    def found(self, user: str, holder: str) -> bool:
        outcome = self.db.do(places.found, self.taker(), found_by(user), holder=holder, invites=0)
        return outcome.verdict.allowed

    def upgrade(self, user: str, room_id: str) -> bool:
        return self.db.do(places.upgrade, self.taker(), upgrade_of(user, named(room_id)), room_id).verdict.allowed

    def invite(self, room_id: str, user: str) -> bool:
        return self.db.do(places.invite, self.taker(), room_id, user).verdict.allowed

    def members(self, room_id: str, *, besides: str = "") -> int:
        return self.db.do(quotas.members, room_id, self.now_ms, besides=besides, default=9).used

    def founded(self, user: str) -> int:
        subject, accounts = self.db.do(quotas.subject_of, user)
        return self.db.do(quotas.rooms_founded, subject, accounts, self.now_ms, default=9).used

    def joined(self, user: str, *, besides: str | None = None) -> int:
        subject, accounts = self.db.do(quotas.subject_of, user)
        return self.db.do(quotas.rooms_joined, subject, accounts, self.now_ms, besides=besides, default=9).used

    def link(self, *users: str) -> None:
        person = self.db.do(identity.person_by_digest, "digest", "person")
        for user in users:
            self.db.do(identity.link, user, person)


def named(room_id: str) -> Named:
    return Named(room_id=room_id, kind=RoomKind.group, founder="", token="")

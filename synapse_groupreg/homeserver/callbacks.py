# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse's callbacks: each translates what Synapse passes into an attempt, and nothing else.

Which callback misses what is written in the comments here; `guard` fills the gaps from the request.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from synapse.module_api import NOT_SPAM
from synapse.module_api.errors import SynapseError
from synapse.spam_checker_api import RegistrationBehaviour

from synapse_groupreg.handlers.gate import GO_ON
from synapse_groupreg.homeserver import compat, delegated, guard, pen, shapes
from synapse_groupreg.homeserver.founding import OURS, Founding, reserved_keys
from synapse_groupreg.policy import numbers
from synapse_groupreg.policy.federation import FederationClosed
from synapse_groupreg.policy.groups import FOUNDING, kind_at_founding
from synapse_groupreg.policy.labels import CINNY_TAGS, LABELS
from synapse_groupreg.policy.types import RoomKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from synapse.events import EventBase
    from synapse.module_api import ModuleApi
    from synapse.synapse_rust.types import Requester
    from synapse.types import RoomAlias, StateMap

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.gate import Answer, Gate
    from synapse_groupreg.handlers.numbering import Founders
    from synapse_groupreg.homeserver.commands import Ear
    from synapse_groupreg.homeserver.replies import Replies, Verdict


class Callbacks:
    """The callbacks of one process."""

    def __init__(
        self, api: ModuleApi, config: GroupRegConfig, gate: Gate, replies: Replies, *, founders: Founders, ear: Ear
    ) -> None:
        self._own_account = api.get_qualified_user_id(config.notices.account) if config.notices.enabled else None
        self._api = api
        self._config = config
        self._gate = gate
        self._replies = replies
        self._founding = Founding(api, config, gate, founders)
        self._ear = ear

    def register(self) -> None:
        """Hand the callbacks to Synapse."""
        self._api.register_spam_checker_callbacks(
            check_event_for_spam=self.check_event_for_spam,
            user_may_join_room=self.user_may_join_room,
            user_may_invite=self.user_may_invite,
            federated_user_may_invite=self.federated_user_may_invite,
            user_may_send_3pid_invite=self.user_may_send_3pid_invite,
            user_may_create_room=self.user_may_create_room,
            user_may_create_room_alias=self.user_may_create_room_alias,
            user_may_publish_room=self.user_may_publish_room,
            user_may_send_state_event=self.user_may_send_state_event,
            check_registration_for_spam=self.check_registration_for_spam,
            check_login_for_spam=self.check_login_for_spam,
        )
        self._api.register_third_party_rules_callbacks(on_create_room=self.on_create_room)
        if self._config.membership_guard == "event_allowed":
            self._api.register_third_party_rules_callbacks(check_event_allowed=self.check_event_allowed)
            self._api.register_media_repository_callbacks(
                is_user_allowed_to_upload_media_of_size=self.is_user_allowed_to_upload_media_of_size
            )
        self._api.register_account_validity_callbacks(is_user_expired=self.is_user_expired)
        if self._config.membership_guard == "request" and delegated.in_use(self._api):
            delegated.guard_requests(self._api, self.is_user_expired)

    # Events. Not called for memberships, for what createRoom writes, nor for the tombstone of an upgrade.

    async def check_event_for_spam(self, event: EventBase) -> Verdict:
        """Judge an event that somebody sends, and joins that another server hands in."""
        if not self._api.is_mine(event.sender):
            return await self._remote_event(event)
        if pen.unjudged():
            return NOT_SPAM
        if shapes.is_talk(event) and self._gate.surely_sends(event.sender, event.room_id):
            self._ear.listen(event)
            return NOT_SPAM
        return await self._own_event(event)

    async def _own_event(self, event: EventBase) -> Verdict:
        target = compat.redacted_event(event) if event.type == "m.room.redaction" else None

        async def retracts_own() -> bool:
            found = await compat.known_event(self._api, target, event.room_id) if target is not None else None
            return found is not None and found.sender == event.sender

        async def judged() -> Answer:
            touched = event if target is None else await compat.known_event(self._api, target, event.room_id)
            await self._keep_reserved(touched.type if touched else "", event.sender, event.room_id)
            manages = target is not None or shapes.changes_room(event)
            posts = target is None and not event.is_state() and event.type != "m.reaction"
            return await self._gate.send(
                event.sender, event.room_id, retracts_own=retracts_own, manages=manages, posts=posts
            )

        verdict = await self._replies.give("send", event.sender, judged)
        if verdict == NOT_SPAM:
            self._ear.listen(event)
        if verdict == NOT_SPAM and event.type == "m.room.tombstone" and event.is_state():
            return await self._replies.give(
                "manage", event.sender, lambda: self._gate.entomb(event.sender, event.room_id)
            )
        if verdict == NOT_SPAM and shapes.opens_room(event.type, event.content):
            return await self._replies.give(
                "manage", event.sender, lambda: self._gate.open_up(event.sender, event.room_id)
            )
        return verdict

    async def _remote_event(self, event: EventBase) -> Verdict:
        request = compat.current_request()
        if event.is_state():
            joining = event.type == "m.room.member" and event.content.get("membership") == "join"
            if joining and request is not None and guard.joins_over_federation(request.path):
                # Raised, the other server gets a clean 403; returned, it would believe that the join went through.
                await self._replies.insist(
                    "join", event.sender, lambda: self._gate.join(event.sender, event.room_id, invited=False)
                )
            # State that we pull from other servers is never called spam: that would tear it out of the room.
            return NOT_SPAM
        return await self._replies.give("send", event.sender, lambda: self._gate.send(event.sender, event.room_id))

    async def user_may_send_state_event(
        self, user_id: str, room_id: str, event_type: str, state_key: str, content: dict[str, Any]
    ) -> Verdict:
        """Judge what a client puts into the state by hand; Synapse drops a returned body here, so it is raised."""
        await self._replies.insist("manage", user_id, lambda: self._keep_reserved(event_type, user_id, room_id))
        if event_type != "m.room.member":
            return NOT_SPAM  # check_event_for_spam follows
        membership = content.get("membership")
        if membership == "knock":
            await self._replies.insist("join", user_id, lambda: self._gate.knock(user_id, room_id))
        elif shapes.moderates(membership, user_id, state_key) or shapes.names_oneself(content):
            named = membership == "join"
            await self._replies.insist(
                "manage", user_id, lambda: self._gate.manage(user_id, room_id, about_oneself=named)
            )
        return NOT_SPAM

    async def check_event_allowed(self, event: EventBase, _state: StateMap[EventBase]) -> tuple[bool, None]:
        """Judge kicks, bans and unbans, where the request can't tell (`membership_guard: event_allowed`)."""
        if event.type == "m.room.member" and self._api.is_mine(event.sender):
            membership = event.content.get("membership")
            if shapes.moderates(membership, event.sender, event.state_key):
                await self._replies.insist(
                    "manage", event.sender, lambda: self._gate.manage(event.sender, event.room_id)
                )
            elif membership == "knock":
                await self._replies.insist("join", event.sender, lambda: self._gate.knock(event.sender, event.room_id))
        return True, None

    # Members.

    async def user_may_join_room(self, user_id: str, room_id: str, is_invited: bool) -> Verdict:  # noqa: FBT001 - Synapse's signature
        """Judge a local join of any kind. Server admins and the creator of a new room don't come by here."""
        return await self._replies.give("join", user_id, lambda: self._gate.join(user_id, room_id, invited=is_invited))

    async def user_may_invite(self, inviter: str, invitee: str, room_id: str) -> Verdict:
        """Judge an invite; those of a createRoom were judged with it, for it can't be taken back half-way."""
        request = compat.current_request()
        if request is not None and guard.founds_room(request.path):
            return NOT_SPAM
        return await self._replies.give("invite", inviter, lambda: self._gate.invite(inviter, room_id, invitee))

    async def federated_user_may_invite(self, event: EventBase) -> Verdict:
        """Judge an invite that another server sends to somebody here."""
        return await self._replies.give(
            "invite", event.sender, lambda: self._gate.invite(event.sender, event.room_id, event.state_key)
        )

    async def user_may_send_3pid_invite(self, inviter: str, _medium: str, _address: str, room_id: str) -> Verdict:
        """Judge an invite to an e-mail address or telephone number."""
        return await self._replies.give("invite", inviter, lambda: self._gate.invite(inviter, room_id, None))

    # Rooms.

    async def on_create_room(self, requester: Requester, body: dict[str, Any], _is_admin: bool) -> None:  # noqa: FBT001 - Synapse's signature
        """Shape a room before anything of it is written: mark what it is founded as, close it to other servers."""
        user_id = requester.user.to_string()
        content = body.get("creation_content", {})
        kind = kind_at_founding(body)
        overwritten = LABELS if kind is RoomKind.group and self._founding.labels else None
        reserved = reserved_keys(body) - {overwritten}
        if reserved:
            await self._refuse_reserved(user_id, min(reserved))
        if not isinstance(content, dict):
            raise SynapseError(400, "creation_content must be an object", "M_BAD_JSON")
        founding_id = secrets.token_hex(16)
        shaped = {**content, FOUNDING: {"id": founding_id, "kind": kind.value}}
        if self._closes(kind, body):
            shaped["m.federate"] = False
        body["creation_content"] = shaped
        if kind is RoomKind.group:
            await self._founding.shape(user_id, founding_id, body)

    async def user_may_create_room(self, user_id: str, body: dict[str, Any]) -> Verdict:
        """Judge the founding or the upgrade of a room; the last gate before anything of it is written."""
        content = body.get("creation_content") or {}
        mark = content.get(FOUNDING)
        if mark is None:  # only an upgrade comes without on_create_room
            return await self._replies.give("found", user_id, lambda: self._upgrade(user_id, content))
        invitees = _strings(body.get("invite"))
        by_address = body.get("invite_3pid")
        invites = len(invitees) + (len(by_address) if isinstance(by_address, list) else 0)
        return await self._replies.give(
            "found",
            user_id,
            lambda: self._gate.found(
                user_id, kind=RoomKind(mark["kind"]), invitees=invitees, invites=invites, holder=mark["id"]
            ),
        )

    async def _upgrade(self, user_id: str, content: dict[str, Any]) -> Answer:
        predecessor = content.get("predecessor")
        old_room = predecessor.get("room_id") if isinstance(predecessor, dict) else None
        if not isinstance(old_room, str):
            message = "a room is being made neither by createRoom nor by an upgrade"
            raise TypeError(message)
        named = content.get("additional_creators")
        others = set(named) - {user_id} if isinstance(named, list | tuple) else set()
        return await self._gate.upgrade(user_id, old_room, further_creators=bool(others))

    async def user_may_create_room_alias(self, user_id: str, alias: RoomAlias) -> Verdict:
        """Judge a new alias; of which room, Synapse doesn't say. Those of numbers only the module makes."""
        name = alias.to_string()
        if numbers.reserved(name) is not None:
            if self._founding.makes_alias(user_id, name):
                return NOT_SPAM  # judged with the founding, which can't be taken back half-way
            await self._refuse_reserved(user_id, name)
        return await self._replies.give("manage", user_id, lambda: self._gate.manage(user_id, guard.SOME_GROUP))

    async def user_may_publish_room(self, user_id: str, room_id: str) -> Verdict:
        """Judge publishing in, or withdrawing from, the room directory."""
        return await self._replies.give("manage", user_id, lambda: self._gate.open_up(user_id, room_id))

    def _closes(self, kind: RoomKind, body: dict[str, Any]) -> bool:
        """Whether a new room is closed to other servers, for ever: a dry run changes no room."""
        if self._config.federation == "open" or not self._gate.enforces(FederationClosed.code):
            return False
        return kind is not RoomKind.direct or all(self._api.is_mine(one) for one in _strings(body.get("invite")))

    # What only the module writes.

    async def _keep_reserved(self, event_type: str, user_id: str, room_id: str) -> Answer:
        if event_type == CINNY_TAGS:
            reserved = self._founding.labels and await self._gate.is_group(room_id)
        else:
            reserved = event_type.startswith(OURS)
        if reserved and not pen.writing():
            await self._refuse_reserved(user_id, event_type)
        return GO_ON

    async def _refuse_reserved(self, user_id: str, event_type: str) -> None:
        refusal = await self._replies.refuse("reserved-state", user_id, type=event_type)
        assert isinstance(refusal, tuple)
        raise SynapseError(403, refusal[1]["error"], refusal[0], additional_fields=refusal[1])

    # Accounts.

    async def check_registration_for_spam(
        self,
        _email: dict[str, Any] | None,
        username: str | None,
        _requests: Collection[tuple[str, str]],
        _provider: str | None = None,
    ) -> RegistrationBehaviour:
        """Keep names that are barred as accounts from being registered (again)."""
        if username:
            user_id = self._api.get_qualified_user_id(username)
            if user_id == self._own_account:
                raise SynapseError(400, "This name belongs to the server itself; choose another.", "M_EXCLUSIVE")
            await self._replies.insist("manage", user_id, lambda: self._gate.log_in(user_id))
        return RegistrationBehaviour.ALLOW

    async def check_login_for_spam(
        self,
        user_id: str,
        _device_id: str | None,
        _device_name: str | None,
        _requests: Collection[tuple[str | None, str]],
        _provider: str | None = None,
    ) -> Verdict:
        """Refuse logins of accounts that are barred as a whole. Not called for the login that registration implies."""
        return await self._replies.give("manage", user_id, lambda: self._gate.log_in(user_id))

    async def is_user_allowed_to_upload_media_of_size(self, user_id: str, _size: int) -> bool:
        """Judge an upload where the request guard can't; Synapse answers with its own words."""
        verdict = await self._replies.give("manage", user_id, lambda: self._gate.manage(user_id, None))
        return verdict == NOT_SPAM

    async def is_user_expired(self, user_id: str) -> bool | None:
        """Not about expiry: this runs on every request of a client, and sees what no other callback does."""
        request = compat.current_request()
        # Pushers ask too, also while somebody else's request is served: act on the request's own account only.
        if request is None or request.requester not in (None, user_id):
            return None
        if not self._gate.surely_logs_in(user_id):
            if guard.always_allowed(request.path):
                return None
            await self._replies.insist("manage", user_id, lambda: self._gate.log_in(user_id))
        act = guard.act_of(request.method, request.path)
        if act is None:
            return None
        if act.kind == "knock":
            await self._replies.insist("join", user_id, lambda: self._knock(user_id, act.room or guard.SOME_GROUP))
        else:
            await self._replies.insist("manage", user_id, lambda: self._gate.manage(user_id, act.room))
        return None

    async def _knock(self, user_id: str, room: str) -> Answer:
        if room.startswith("!"):
            return await self._gate.knock(user_id, room)
        # Aliases of other servers are not looked up a second time, and such rooms can't be groups of ours.
        ours = self._api.is_mine(room)
        room_id = (await self._api.lookup_room_alias(room))[0] if ours else guard.SOME_GROUP
        return await self._gate.knock(user_id, room_id)


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

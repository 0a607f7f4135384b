# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands by which a founder and managers look after a group: each becomes an action, as by REST (article 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg import texts
from synapse_groupreg.errors import GroupRegError
from synapse_groupreg.handlers.leading import Cut, Hindered, NotYours
from synapse_groupreg.handlers.roles import LEADING, role_of
from synapse_groupreg.policy import categories, durations, handovers
from synapse_groupreg.policy.commands import names_another, whom, write
from synapse_groupreg.policy.durations import NoTime, first
from synapse_groupreg.policy.group_actions import (
    AcceptGroup,
    DeclineGroup,
    MuteMember,
    OfferGroup,
    SetCategory,
    SlowDown,
    UnmuteMember,
)
from synapse_groupreg.policy.handovers import OFFERED_MS
from synapse_groupreg.policy.mutes import DAY_MS, LONGEST_MS
from synapse_groupreg.policy.slow import LONGEST_S, SECOND_MS
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.storage import handovers as offers
from synapse_groupreg.storage import mutes, numbers, people, rooms, state

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.actions import Actions
    from synapse_groupreg.handlers.change import Change
    from synapse_groupreg.handlers.question import Question
    from synapse_groupreg.handlers.wording import Words
    from synapse_groupreg.policy.actions import Action
    from synapse_groupreg.policy.handovers import Handover
    from synapse_groupreg.policy.mutes import Mute
    from synapse_groupreg.storage.database import Database, Transaction

_LISTED = 20
_REPLIES: dict[str, type[AcceptGroup | DeclineGroup]] = {"accept": AcceptGroup, "decline": DeclineGroup}
_SHOWN = 40
"""Characters of what somebody wrote that are shown to them as wrong."""
_LONGEST = 500
"""Characters of a reason that are kept."""


class GroupCommands:
    """Answers the commands that change something in a group."""

    def __init__(
        self, config: GroupRegConfig, database: Database, homeserver: Homeserver, words: Words, actions: Actions
    ) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._words = words
        self._actions = actions

    async def mute(self, question: Question) -> list[str]:
        """Who is muted in the group; or, with a person, that they are now."""
        if not question.text:
            return await self._muted(question)
        found = await self._whom(question)
        if found is None:
            return [self._how(question, "2h")]
        user_id, said = found
        if names_another(said, user_id, await self._called(question)):
            return [question.say("mute.one", example=self._example(question, "2h"))]
        told = first(said)
        if isinstance(told, NoTime):
            return [question.say("mute.no_time", said=told.said, days=LONGEST_MS // DAY_MS)]
        lasts_ms, reason = told
        action = MuteMember(
            group=_room(question),
            user_id=user_id,
            until_ms=None if lasts_ms is None else self._homeserver.now_ms() + lasts_ms,
            reason=reason[:_LONGEST] or None,
        )
        change = await self._do(question, action)
        if isinstance(change, list):
            return change
        assert change.after is not None
        until = texts.moment(change.after["until_ms"], question.language)
        person = await self._name(question, user_id)
        said = question.say("mute.done", person=person, name=question.name, until=until)
        lines = [_with_reason(said, action.reason, question)]
        return [*lines, question.say("mute.dry")] if change.facts.get("dry") else lines

    async def unmute(self, question: Question) -> list[str]:
        """That somebody can post again."""
        found = await self._whom(question)
        if found is None:
            return [self._how(question)]
        user_id, _ = found
        change = await self._do(question, UnmuteMember(group=_room(question), user_id=user_id))
        if isinstance(change, list):
            return change
        said = "unmute.done" if change.changed else "unmute.none"
        return [question.say(said, person=await self._name(question, user_id), name=question.name)]

    async def transfer(self, question: Question) -> list[str]:
        """To whom the group is offered; or that it was accepted or declined."""
        now_ms = self._homeserver.now_ms()
        founder, standing = await self._database.run("groupreg_command", _offer, _room(question), now_ms)
        reply, more = handovers.reply(question.text)
        own = founder == question.user_id
        idle = own and standing is None
        if reply is not None and (idle or not (more or (own and reply == "accept"))):
            change = await self._do(question, _REPLIES[reply](group=_room(question)))
            if isinstance(change, list):
                return change
            return [question.say(f"transfer.{reply if change.changed else 'already'}", name=question.name)]
        found = await self._whom(question) if reply is None else None
        if found is None:
            return await self._how_to_transfer(question, founder, standing)
        change = await self._do(question, OfferGroup(group=_room(question), user_id=found[0]))
        if isinstance(change, list):
            return change
        person = await self._name(question, found[0])
        return [question.say("transfer.done", person=person, name=question.name, days=OFFERED_MS // DAY_MS)]

    async def _how_to_transfer(self, question: Question, founder: str | None, standing: Handover | None) -> list[str]:
        """To whom the group is offered, and what can be written about that."""
        accept, decline = (_write(question, reply) for reply in _REPLIES)
        facts = {"name": question.name, "accept": accept, "decline": decline}
        until = texts.moment(standing.until_ms, question.language) if standing else ""
        if founder == question.user_id:
            person = await self._name(question, standing.account) if standing else ""
            lines = [question.say("transfer.open", **facts, person=person, until=until)] if standing else []
            return [*lines, self._how(question)]
        said = texts.one_line(question.text)[:_SHOWN]
        lines = [question.say("transfer.no_answer", said=said)] if said else []
        offered = standing is not None and standing.account == question.user_id
        return [*lines, question.say("transfer.offered" if offered else "transfer.not_offered", **facts, until=until)]

    async def category(self, question: Question) -> list[str]:
        """What the group is about, and may be; or that its founder said so."""
        possible = ", ".join(self._config.groups.categories)
        if question.text:
            chosen = None if question.text == categories.NONE else question.text
            change = await self._do(question, SetCategory(group=_room(question), category=chosen))
            if isinstance(change, list):
                return change
            found = None if change.after is None else change.after["category"]
        else:
            found = await self._database.run("groupreg_command", rooms.category, _room(question))
        said = "category.is" if found else "category.none"
        lines = [question.say(said, name=question.name, category=found)]
        if question.text or not possible:
            return lines
        return [*lines, question.say("category.how", categories=possible, example=_write(question, "…"))]

    async def slow(self, question: Question) -> list[str]:
        """How often people may post in the group; or that this is so now."""
        if not question.text:
            found = await self._database.run("groupreg_command", rooms.slow_ones, [_room(question)])
            example, off = _write(question, "30"), _write(question, durations.OFF)
            how = question.say("slow.how", example=example, off=off, most=LONGEST_S)
            return [self._pace(question, found.get(_room(question), 0) // SECOND_MS), how]
        seconds = durations.seconds(question.text)
        if seconds is None:
            said = texts.one_line(question.text)[:_SHOWN]
            return [question.say("slow.wrong", said=said, most=LONGEST_S, off=durations.OFF)]
        change = await self._do(question, SlowDown(group=_room(question), seconds=seconds or None))
        if isinstance(change, list):
            return change
        lines = [self._pace(question, seconds)]
        return [*lines, question.say("mute.dry")] if change.facts.get("dry") else lines

    def _pace(self, question: Question, seconds: int) -> str:
        return question.say("slow.is" if seconds else "slow.off", name=question.name, seconds=seconds)

    async def own_mutes(self, question: Question) -> list[str]:
        """Where who asks is muted, until when and why."""
        found = await self._database.run("groupreg_command", _own_mutes, question.user_id, self._homeserver.now_ms())
        lines = []
        for one, name, number in found[:_LISTED]:
            called = name or texts.text("group.unnamed", question.language)
            until = texts.moment(one.until_ms, question.language)
            said = question.say("me.muted", name=f"{called} ({number})" if number else called, until=until)
            lines.append(_with_reason(said, one.reason, question))
        return [*lines, question.say("more", count=len(found) - _LISTED)] if len(found) > _LISTED else lines

    async def _muted(self, question: Question) -> list[str]:
        run, room_id = self._database.run, _room(question)
        if await run("groupreg_command", role_of, room_id, question.user_id, self._config) not in LEADING:
            return [texts.text("hindrance.not-leading", question.language)]
        found = await run("groupreg_command", mutes.of_room, room_id, self._homeserver.now_ms())
        names = await run("groupreg_command", people.names, room_id, [one.account for one in found])
        lines = [question.say("mute.title" if found else "mute.nobody", name=question.name)]
        for one in found[:_LISTED]:
            until = texts.moment(one.until_ms, question.language)
            person, why = _named(one.account, names.get(one.account)), texts.one_line(one.reason or "")
            lines.append(question.say("mute.line_why" if why else "mute.line", person=person, until=until, reason=why))
        if len(found) > _LISTED:
            lines.append(question.say("more", count=len(found) - _LISTED))
        return [*lines, self._how(question, "2h")]

    async def _whom(self, question: Question) -> tuple[str, str] | None:
        return whom(question.text, self._homeserver.server_name, await self._called(question))

    async def _called(self, question: Question) -> dict[str, list[str]]:
        """What those whom a message links may be called in its text."""
        called: dict[str, list[str]] = {}
        if question.mentions:
            room_id = _room(question)
            names = await self._database.run("groupreg_command", people.names, room_id, question.mentions)
            for user_id in question.mentions:
                local = user_id.partition(":")[0]
                shown = names.get(user_id)
                called[user_id] = [local, local.removeprefix("@"), *([shown, f"@{shown}"] if shown else [])]
        return called

    async def _do(self, question: Question, action: Action) -> Change | list[str]:
        """What an action did, or what is said of why it didn't."""
        try:
            return await self._actions.do(Staff(user_id=question.user_id), action)
        except Hindered as error:
            return [texts.text(error.key, question.language, **error.facts)]
        except NotYours as error:
            return [texts.text(error.key, question.language)]
        except Cut as error:
            found = error.violation
            return [self._words.word(found.code, question.language, attempt=error.attempt, **found.facts()).error]
        except GroupRegError as error:
            return [error.message]

    async def _name(self, question: Question, user_id: str) -> str:
        names = await self._database.run("groupreg_command", people.names, _room(question), [user_id])
        return _named(user_id, names.get(user_id))

    def _how(self, question: Question, *more: str) -> str:
        return question.say(f"{question.word}.how", example=self._example(question, *more))

    def _example(self, question: Question, *more: str) -> str:
        return _write(question, " ".join((f"@anna:{self._homeserver.server_name}", *more)))


def _room(question: Question) -> str:
    assert question.group is not None
    return question.group.room_id


def _offer(txn: Transaction, room_id: str, now_ms: int) -> tuple[str | None, Handover | None]:
    """Who founded a group, and the offer that stands."""
    row = rooms.get(txn, room_id)
    return row.founder if row else None, offers.get(txn, room_id, now_ms)


def _own_mutes(txn: Transaction, user_id: str, now_ms: int) -> list[tuple[Mute, str | None, str | None]]:
    """The mutes that bind an account, one a group, with the names and numbers of the groups.

    Those of another account of the same person are theirs too, where they are in that group.
    """
    held: dict[str, Mute] = {}
    for one in sorted(mutes.by_account(txn, {user_id}, now_ms).get(user_id, ()), key=lambda one: one.until_ms):
        if one.account == user_id or state.membership(txn, one.room_id, user_id) == "join":
            held[one.room_id] = one
    given = numbers.of_rooms(txn, held)
    return [(one, state.name(txn, room_id), given.get(room_id)) for room_id, one in held.items()]


def _with_reason(said: str, reason: str | None, question: Question) -> str:
    if not reason:
        return said
    return texts.text("format.gap", question.language).join([said, texts.given_reason(reason, question.language)])


def _write(question: Question, more: str) -> str:
    """A command about the group, as it can be typed where the answer is read: with its number."""
    assert question.group is not None
    return write(question.word, question.group.number, more)


def _named(user_id: str, shown: str | None) -> str:
    """Somebody by name and id: two may show the same name."""
    return f"{shown} ({user_id})" if shown else user_id

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers what people ask in a chat, in their direct room with the server, where nobody else reads it (article 9).

A new command is a line in `policy/commands.py`, a function in `_ANSWERS`, and its texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from synapse_groupreg import texts
from synapse_groupreg.errors import Conflict
from synapse_groupreg.handlers import act_appeals, views
from synapse_groupreg.handlers.allowances import ASKED, LED, Allowance, Turn
from synapse_groupreg.handlers.group_commands import GroupCommands
from synapse_groupreg.handlers.group_pages import LINK_MS
from synapse_groupreg.handlers.measures import Here
from synapse_groupreg.handlers.question import Question
from synapse_groupreg.handlers.roles import LEADING, role_of
from synapse_groupreg.handlers.wording import RULES_PATH
from synapse_groupreg.policy.appeal_actions import MakeAppeal
from synapse_groupreg.policy.appeals import LONGEST
from synapse_groupreg.policy.commands import WORDS, Asked, Unknown, parse, write
from synapse_groupreg.policy.durations import OFF
from synapse_groupreg.policy.identity import needs
from synapse_groupreg.policy.numbers import read
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.storage import notices, numbers, state

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.actions import Actions
    from synapse_groupreg.handlers.group_pages import Group, GroupPages
    from synapse_groupreg.handlers.wording import Words
    from synapse_groupreg.storage.database import Database, Transaction

EXAMPLE = "123456786"
_LISTED = 20
_SHOWN = 60
"""Characters of what somebody wrote that are written again."""
_DIGITS = 18
"""Of a number that any database can hold."""


class Commands:
    """Answers commands; the answer waits in the database for the process that writes to direct rooms."""

    def __init__(
        self,
        config: GroupRegConfig,
        database: Database,
        homeserver: Homeserver,
        words: Words,
        pages: GroupPages,
        *,
        actions: Actions,
    ) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._words = words
        self._pages = pages
        self._actions = actions
        self._in_groups = GroupCommands(config, database, homeserver, words, actions)
        self._asked, self._led = Allowance(ASKED), Allowance(LED)

    async def hear(self, user_id: str, room_id: str, body: str, mentions: Sequence[str] = ()) -> None:
        """Answer a message, if it is a command that its sender may give; `mentions` are those whom it links."""
        spoken = parse(body)
        if spoken is None:
            return
        turn, most = await self._turn(spoken, user_id, room_id)
        if turn is Turn.ignored:
            return
        # Whose message Synapse refuses, because they aren't in the room, gets no answer to it.
        if await self._database.run("groupreg_command", state.membership, room_id, user_id) != "join":
            return
        language = await self._words.language(user_id)
        if turn is Turn.told:
            lines = [texts.text("command.too_many", language, most=most)]
        elif isinstance(spoken, Unknown):
            lines = [_unknown(spoken, language)]
        else:
            lines = await self._answer(spoken, user_id, room_id, language, mentions)
        await self._database.run(
            "groupreg_command", notices.answer, user_id, room_id, "\n".join(lines), self._homeserver.now_ms()
        )

    async def _turn(self, spoken: Asked | Unknown, user_id: str, room_id: str) -> tuple[Turn, int]:
        """Whether a command is answered, and how many are in a minute."""
        now_ms = self._homeserver.now_ms()
        if isinstance(spoken, Asked) and spoken.acts:
            # Also of others: whoever leads nothing has the database asked no more often than this.
            turn = self._led.take(user_id, now_ms)
            if turn is Turn.ignored or await self._leads(spoken.written, user_id, room_id):
                return turn, LED
        return self._asked.take(user_id, now_ms), ASKED

    async def _leads(self, written: str, user_id: str, room_id: str) -> bool:
        group = await self._group(written, user_id, room_id)
        if group is None:
            return False
        return await self._database.run("groupreg_command", role_of, group.room_id, user_id, self._config) in LEADING

    async def _answer(
        self, spoken: Asked, user_id: str, room_id: str, language: str, mentions: Sequence[str]
    ) -> list[str]:
        word, written = spoken.word, spoken.written
        group = await self._group(written, user_id, room_id)
        question = Question(
            user_id=user_id,
            language=language,
            group=group,
            word=word,
            written=written,
            text=spoken.text,
            mentions=tuple(mentions),
        )
        if group is None and written and WORDS[word]:
            return [question.say("no_such_group", number=written)]
        if group is None and WORDS[word]:
            return await self._which(question)
        return await _ANSWERS[word](self, question)

    async def _group(self, written: str, user_id: str, room_id: str) -> Group | None:
        """The group that is meant, if its number or the room tells, and if this account may ask about it."""
        number = read(written)
        if not written:
            number = await self._database.run("groupreg_command", numbers.of_room, room_id)
        group = None if number is None else await self._pages.group(number)
        if group is None or group.public or await self._pages.is_member(group.room_id, user_id):
            return group
        return None

    async def _which(self, question: Question) -> list[str]:
        own = await self._database.run("groupreg_command", _own_groups, question.user_id)
        if not own:
            return [question.say("no_groups")]
        example = write(question.word, own[0][0], texts.one_line(question.text)[:_SHOWN])
        lines = [question.say("which", example=example), "", question.say("yours")]
        unnamed = texts.text("group.unnamed", question.language)
        for number, name, replaced in own[:_LISTED]:
            called = name or unnamed
            lines.append(f"{number}  {question.say('replaced', name=called) if replaced else called}")
        return [*lines, question.say("more", count=len(own) - _LISTED)] if len(own) > _LISTED else lines

    async def info(self, question: Question) -> list[str]:
        """What the group is, and who answers for it."""
        assert question.group is not None
        group = question.group
        lines = [question.say("info.title", name=question.name, number=group.number), *self._people(question)]
        lines += [question.say("info.category", category=group.category)] if group.category else []
        if group.size is not None:
            lines.append(
                question.say("info.size_tier", **texts.size_tier(question.language, **attrs.asdict(group.size)))
            )
        lines += [one.text(question.language) for one in group.standing]
        if group.public or self._config.groups.pages == "everybody":
            lines.append(question.say("info.page", link=self._pages.links.address(group.number)))
        return lines

    async def members(self, question: Question) -> list[str]:
        """How many are in it, and who founded and manages it."""
        return [f"{question.name}:", *self._people(question)]

    async def limits(self, question: Question) -> list[str]:
        """How many may be in it, and what it takes to post and to join."""
        assert question.group is not None
        group = question.group
        post, join = needs(self._config, group.members)
        return [
            question.say("limits.title", name=question.name),
            question.say("info.members", used=group.members, cap=group.cap),
            question.say("limits.post", assurance=texts.text(f"assurance.{post.name}", question.language)),
            question.say("limits.join", assurance=texts.text(f"assurance.{join.name}", question.language)),
            question.say("limits.rules", link=self._rules()),
        ]

    async def me(self, question: Question) -> list[str]:
        """The asker's own assurance, places, role and measures."""
        now_ms = self._homeserver.now_ms()
        found = await self._database.run("groupreg_command", views.account, question.user_id, self._config, now_ms)
        lines = []
        if question.group is not None:
            role = await self._database.run(
                "groupreg_command", role_of, question.group.room_id, question.user_id, self._config
            )
            if role is not None:
                lines.append(
                    question.say("me.role", name=question.name, role=texts.text(f"role.{role}", question.language))
                )
        lines += await self._in_groups.own_mutes(question)
        assurance = texts.text(f"assurance.{found['assurance']}", question.language)
        lines.append(question.say("me.assurance", assurance=assurance))
        for key, quota in (("founded", "rooms_founded"), ("joined", "rooms_joined")):
            use = found["quotas"][quota]
            lines.append(question.say(f"me.{key}", used=use["used"], limit=use["limit"]))
        lines += [line for one in found["measures"] for line in _measure(one, question)]
        if found["measures"]:
            return [*lines, question.say("me.appeal", link=self._rules("appeal"))]
        return [*lines, question.say("me.no_measures")]

    async def appeal(self, question: Question) -> list[str]:
        """An appeal against a measure, or the answer to a warning; whether the staff have it now."""
        number = question.written.strip("#.:,()")
        if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS) or not question.text:
            return [question.say("appeal.how", example=write("appeal", "12"), me=write("me"))]
        case = int(number)
        if len(question.text) > LONGEST:
            return [question.say("appeal.long", most=LONGEST)]
        here = Here(self._config, self._homeserver.server_name, self._homeserver.now_ms())
        found = await self._database.run("groupreg_command", act_appeals.obstacle, here, question.user_id, case)
        if found is None:
            appeal = MakeAppeal(measure_id=case, text=question.text)
            try:
                await self._actions.do(Staff(user_id=question.user_id), appeal)
            except Conflict:
                found = "open"  # somebody else was faster
        return [question.say(f"appeal.{found or 'made'}", case=case)]

    async def mute(self, question: Question) -> list[str]:
        """Who can't post in the group for a while, or one more."""
        return await self._in_groups.mute(question)

    async def unmute(self, question: Question) -> list[str]:
        """Somebody can post again."""
        return await self._in_groups.unmute(question)

    async def transfer(self, question: Question) -> list[str]:
        """Whom the group is offered to, or what becomes of that."""
        return await self._in_groups.transfer(question)

    async def category(self, question: Question) -> list[str]:
        """What the group is about; or, as its founder says it, what it is about now."""
        return await self._in_groups.category(question)

    async def slow(self, question: Question) -> list[str]:
        """How often people may post in the group; or, with a time, that this is so now."""
        return await self._in_groups.slow(question)

    async def report(self, question: Question) -> list[str]:
        """How to report something."""
        lines = [texts.text(f"page.complaint.{key}", question.language) for key in ("report", "write")]
        if question.group is not None:
            lines.append(question.say("report.group", name=question.name, number=question.group.number))
        return lines

    async def link(self, question: Question) -> list[str]:
        """The address of the page, for a member one that ends."""
        assert question.group is not None
        number, links = question.group.number, self._pages.links
        if question.group.public or self._config.groups.pages == "everybody":
            return [question.say("link.public", name=question.name, link=links.address(number))]
        until = texts.moment(self._homeserver.now_ms() + LINK_MS, question.language)
        link = links.signed(number, question.user_id)
        return [question.say("link.signed", name=question.name, until=until, link=link)]

    async def help(self, question: Question) -> list[str]:
        """All commands."""
        lines = [f"{write(word)}: {question.say(f'help.{word}', off=OFF)}" for word in WORDS]
        return [question.say("help.title"), "", *lines, "", question.say("help.end", example=write("members", EXAMPLE))]

    def _people(self, question: Question) -> list[str]:
        assert question.group is not None
        group = question.group
        leading = [*group.managers]
        if group.more_managers:
            leading.append(texts.text("group.more_managers", question.language, count=group.more_managers))
        nobody = texts.text("group.nobody", question.language)
        left = texts.text("group.founder_left", question.language)
        founder = group.founder or (left if group.founder_left else nobody)
        managers = ", ".join(leading) or nobody
        return [
            question.say("info.members", used=group.members, cap=group.cap),
            question.say("info.founder", names=founder),
            question.say("info.managers", names=managers),
        ]

    def _rules(self, anchor: Literal["limits", "appeal"] = "limits") -> str:
        return f"{self._homeserver.public_baseurl}{RULES_PATH}#{anchor}"


_ANSWERS: Mapping[str, Callable[[Commands, Question], Awaitable[list[str]]]] = {
    "info": Commands.info,
    "help": Commands.help,
    "members": Commands.members,
    "limits": Commands.limits,
    "me": Commands.me,
    "appeal": Commands.appeal,
    "report": Commands.report,
    "link": Commands.link,
    "mute": Commands.mute,
    "unmute": Commands.unmute,
    "transfer": Commands.transfer,
    "category": Commands.category,
    "slow": Commands.slow,
}


def _unknown(spoken: Unknown, language: str) -> str:
    if spoken.nearest is None:
        return texts.text("command.unknown_at_all", language, word=spoken.word, help=write("help"))
    return texts.text("command.unknown", language, word=spoken.word, nearest=write(spoken.nearest), help=write("help"))


def _measure(one: Mapping[str, Any], question: Question) -> list[str]:
    lines = [question.say("me.measure", case=one["id"], reason=one["reason"])]
    if one["until_ms"] is not None:
        lines.append(question.say("me.until", until=texts.moment(one["until_ms"], question.language)))
    return lines


def _own_groups(txn: Transaction, user_id: str) -> list[tuple[str, str | None, bool]]:
    """The numbers and names of the groups that an account is in, and whether they were replaced; these come last."""
    numbered = numbers.of_rooms(txn, state.joined_by(txn, [user_id]))
    replaced = state.successors(txn, numbered)
    found = [(number, state.name(txn, room_id), room_id in replaced) for room_id, number in numbered.items()]
    return sorted(found, key=lambda one: (one[2], one[0]))

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A report packet as Markdown, in the language of who gets it, from what the server answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from synapse_groupreg import texts
from synapse_groupreg.cli.times import utc
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MEASURE = (
    *(
        "kind",
        "subject",
        "scope",
        "room",
        "reason",
        "basis",
        "accepted",
        "grave",
        "author",
        "start_ms",
        "until_ms",
        "review_ms",
    ),
    *("deadline_ms", "lifted_ms", "lifted_by", "lift_reason"),
)
_GROUP = ("number", "name", "room_id", "members", "founder")
_NAMED = {"kind": "measure.name", "scope": "packet.scope"}
"""Fields whose values are words of ours, and where these stand."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|])")


def markdown(packet: Mapping[str, Any], language: str) -> str:
    """Write it for people; the JSON beside it says the same. What people wrote stays in their language."""
    return "\n".join(_Writer(language).lines(packet)) + "\n"


@frozen
class _Writer:
    language: str

    def lines(self, packet: Mapping[str, Any]) -> Iterator[str]:
        yield f"# {self.say('title', id=packet['id'], server=_plain(packet['server']))}"
        yield ""
        yield self.say("made", made=f"{utc(packet['made_ms'])} UTC", author=_plain(packet["author"]))
        for one in packet["measures"]:
            yield from self.reported(one)
        yield from ("", f"## {self.say('records')}", "")
        if not packet["records"]:
            yield self.say("no_records")
        for log in packet["records"]:
            yield from self.facts(log, ("log", "origin", "shard", "size", "root", "key"))
            yield from ("", self.say("commands"), "")
            yield from (f"    {command}" for command in log["commands"])
            yield ""
        yield from ("", f"## {self.say('attachments')}", "")
        for one in packet["attachments"]:
            size, digest = f"{one['size']:,}", f"SHA-256 {one['sha256']}"
            yield f"- {self.say('attachment', name=_plain(one['name']), size=size, digest=digest)}"
        if not packet["attachments"]:
            yield self.say("none")

    def reported(self, one: Mapping[str, Any]) -> Iterator[str]:
        """A measure, with its group and the appeals against it."""
        measure, group = one["measure"], one["group"]
        kind, subject = self.value("kind", measure["kind"]), _plain(measure["subject"])
        yield from ("", f"## {self.say('measure', id=measure['id'], kind=kind, subject=subject)}", "")
        yield from self.facts(measure, _MEASURE)
        if group:
            yield from ("", f"### {self.say('group')}", "")
            yield from self.facts(group, _GROUP)
        for appeal in one["appeals"]:
            state = self.say(f"state.{appeal['state']}")
            yield from ("", f"### {self.say('appeal', id=appeal['id'], state=state)}", "")
            said = "erased_ms" if appeal.get("erased_ms") else "text"
            yield from self.facts(appeal, ("author", "made_ms", said, "answer", "decided_by", "decided_ms"))

    def facts(self, values: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
        """One line for each that is known."""
        for name in names:
            held = values.get(name)
            if held is not None:
                field = self.say(f"field.{name.removesuffix('_ms')}")
                yield f"- {self.say('fact', name=field, value=self.value(name, held))}"

    def value(self, name: str, held: object) -> str:
        """A value: times and words of ours in the language, all else as it is."""
        if name.endswith("_ms") and isinstance(held, int):
            return f"{utc(held)} UTC"
        if isinstance(held, list):
            return _plain(", ".join(held)) or self.say("none")
        return texts.text(f"{_NAMED[name]}.{held}", self.language) if name in _NAMED else _plain(str(held))

    def say(self, key: str, /, **facts: object) -> str:
        return texts.text(f"packet.{key}", self.language, **facts)


def _plain(text: str) -> str:
    """What people wrote is no markup, and stays on its line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))

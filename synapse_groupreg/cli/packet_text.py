# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A report packet as Markdown, from what the server answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MEASURE = (
    *("kind", "subject", "scope", "room", "reason", "basis", "grave", "author", "start_ms", "until_ms", "review_ms"),
    *("deadline_ms", "lifted_ms", "lifted_by", "lift_reason"),
)
_GROUP = ("number", "name", "room_id", "members", "founder")
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|])")


def markdown(packet: Mapping[str, Any]) -> str:
    """Write it for people; the JSON beside it says the same."""
    return "\n".join(_lines(packet)) + "\n"


def _lines(packet: Mapping[str, Any]) -> Iterator[str]:
    yield f"# Report packet {packet['id']} of {_plain(packet['server'])}"
    yield ""
    yield f"Made {utc(packet['made_ms'])} UTC by {_plain(packet['author'])}. Nothing was sent by making it."
    for one in packet["measures"]:
        measure, group = one["measure"], one["group"]
        yield from ("", f"## Measure {measure['id']}: {_plain(measure['kind'])} on {_plain(measure['subject'])}", "")
        yield from _facts(measure, _MEASURE)
        if group:
            yield from ("", "### The group, when this packet was made", "")
            yield from _facts(group, _GROUP)
        for appeal in one["appeals"]:
            yield from ("", f"### Appeal {appeal['id']}: {_plain(appeal['state'])}", "")
            said = "erased_ms" if appeal.get("erased_ms") else "text"
            yield from _facts(appeal, ("author", "made_ms", said, "answer", "decided_by", "decided_ms"))
    yield from ("", "## Log proofs, by reference", "")
    if not packet["records"]:
        yield "This server keeps no records, or none are signed yet."
    for log in packet["records"]:
        yield from _facts(log, ("log", "origin", "shard", "size", "root", "key"))
        yield from ("", "Taken out, each record with its proof, by:", "")
        yield from (f"    {command}" for command in log["commands"])
        yield ""
    yield from ("", "## Attachments, by reference", "")
    for one in packet["attachments"]:
        yield f"- {_plain(one['name'])}: {one['size']:,} bytes, SHA-256 {one['sha256']}"
    if not packet["attachments"]:
        yield "None."


def _facts(values: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        held = values.get(name)
        if held is not None:
            shown = f"{utc(held)} UTC" if name.endswith("_ms") else _plain(str(held))
            yield f"- {name.removesuffix('_ms').replace('_', ' ')}: {shown}"


def _plain(text: str) -> str:
    """What people wrote is no markup, and stays on its line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))

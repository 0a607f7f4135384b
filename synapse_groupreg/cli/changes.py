# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an act changed, as one sentence: before -> after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Output


def report(out: Output, answer: Answer, *, act: str, done: str, said: Collection[str] = ()) -> None:
    """Print what an act changed, or would.

    `act` is the infinitive (`verify @a:b`), `done` the past (`Verified @a:b`); `said` names values that need no more
    telling.
    """
    if out.as_json:
        out.data(answer)
        return
    before, after = (without(answer.get(side) or {}, said) for side in ("before", "after"))
    if waits(out, answer):
        return
    what = "; ".join(differences(before, after))
    tail = f": {what}." if what else "."
    if not answer.get("changed", True):
        out.say(f"Nothing to change: the server already has it so ({act}).")
    elif answer.get("dry_run"):
        out.say(f"Dry run, nothing was changed. This would {act}{tail}")
    else:
        out.say(f"{done}{tail}")


def without(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Leave values out."""
    return {name: held for name, held in values.items() if name not in names}


def waits(out: Output, answer: Answer) -> bool:
    """Say whether an act waits, or would wait, for a second member of staff; True if it does."""
    proposal = answer.get("proposal")
    if proposal is not None:
        barred = f"it bars {proposal['accounts']} accounts of this server, so " if proposal["accounts"] else ""
        out.say(
            f"Not done yet: {barred}another member of staff has to agree, with: groupreg proposal approve"
            f" {proposal['id']}"
        )
    elif answer.get("needs_second"):
        out.say("Another member of staff would have to agree.")
    return proposal is not None


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    """Name each value that differs: `assurance none -> real name`."""
    old, new = dict(flat(before or {})), dict(flat(after or {}))
    names = [*new, *(name for name in old if name not in new)]
    changed = [name for name in names if old.get(name) != new.get(name)]
    if not before:
        return [f"{words(name)} {value(name, new[name])}" for name in changed]
    return [f"{words(name)} {value(name, old.get(name))} -> {value(name, new.get(name))}" for name in changed]


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Walk nested objects as `outer inner` names."""
    for name, held in values.items():
        full = f"{above} {name}".strip()
        if isinstance(held, dict):
            yield from flat(held, full)
        else:
            yield full, held


def words(name: str) -> str:
    """Turn a key into words: `until_ms` -> `until`."""
    return name.removesuffix("_ms").replace("_", " ")


def value(name: str, held: object) -> str:
    """Write one value in a sentence."""
    if held is None:
        return "not set"
    if isinstance(held, bool):
        return "yes" if held else "no"
    if isinstance(held, int):
        return f"{utc(held)} UTC" if name.endswith("_ms") else f"{held:,}"
    if isinstance(held, list):
        return ", ".join(map(str, held)) or "none"
    return str(held)

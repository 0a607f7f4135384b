# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg status` and `groupreg policy`: what the server does now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import flat, value, words
from synapse_groupreg.cli.options import Cli, server_command
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.times import lasting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Cell, Output

MODES = {
    "dry": "Mode dry: everything is judged, journalled and counted, and nothing is refused.",
    "enforce": "Mode enforce: what breaks a rule is refused.",
}
CAPS_OF_FEDERATED = (
    "Caps hold for joins through this server; joins through others can't be prevented, and with `federation: open`"
    " whoever is too many is removed afterwards."
)


@click.command()
@server_command
def status(cli: Cli) -> None:
    """Show how the module is: version, mode, warnings, exemptions, counters."""
    answer = cli.client().get("status")
    if cli.as_json:
        cli.out.data(answer)
    else:
        show_status(cli.out, answer)


@click.command()
@server_command
def policy(cli: Cli) -> None:
    """Show the rules in force: caps, limits, required identity."""
    answer = cli.client().get("policy")
    if cli.as_json:
        cli.out.data(answer)
        return
    out = cli.out
    out.say(mode_sentence(answer.get("mode")))
    sections = {name: held for name, held in answer.items() if isinstance(held, dict) and held}
    rest = {name: held for name, held in answer.items() if name not in sections}
    out.facts("Rules", cells(rest))
    for name, held in sections.items():
        out.facts(words(name).capitalize(), cells(held))


def mode_sentence(mode: object) -> str:
    """Say what the mode means."""
    return MODES.get(str(mode), f"Mode {mode}.")


def cells(values: Mapping[str, Any]) -> dict[str, Cell]:
    """Write an object as names and values."""
    return {words(name): value(name, held) for name, held in flat(values)}


def show_status(out: Output, answer: Answer) -> None:
    """Print the self-check, warnings first."""
    out.say(mode_sentence(answer.get("mode")))
    if answer.get("configured_mode") not in {None, answer.get("mode")}:
        out.say(f"The configuration file says {answer['configured_mode']}; staff switched it with groupreg mode.")
    retention = answer.get("retention") or {}
    warnings = [f"{one.get('text')} ({one.get('code')})" for one in answer.get("warnings") or []]
    warnings = [*retention_warnings(retention), *warnings]
    out.heading(plural(len(warnings), "warning") if warnings else "No warnings")
    for warning in warnings:
        out.warn(warning)
    names = ("version", "synapse", "database", "schema", "process")
    out.facts("Server", {name: value(name, answer.get(name)) for name in names})
    show_snapshot(out, answer.get("snapshot") or {})
    show_standing(out, answer.get("measures") or {})
    show_retention(out, retention)
    show_numbers(out, answer.get("numbers") or {})
    show_exempt(out, answer.get("exempt") or {})
    show_federated(out, answer.get("federated_groups") or {})
    show_counters(out, answer.get("counters") or {})


def show_snapshot(out: Output, snapshot: Mapping[str, Any]) -> None:
    """Print how fresh the process's picture of accounts and rooms is."""
    if snapshot:
        age = snapshot.get("age_ms")
        rest = {name: held for name, held in snapshot.items() if name != "age_ms"}
        out.facts("Snapshot of this process", {**cells(rest), "age": lasting(age) if isinstance(age, int) else None})


def show_numbers(out: Output, numbers: Mapping[str, Any]) -> None:
    """Print how far groups have their numbers."""
    if numbers:
        out.facts("Numbers of groups", cells(numbers))


UNDER_WAY = {
    "purge": "months are being removed",
    "look": "looking for what is due",
    "rotate": "keys are being renewed",
    "epoch": "a log begins a new shard",
    "erase": "records are being erased",
}
"""What waits for the recorder, in words."""


def retention_warnings(retention: Mapping[str, Any]) -> list[str]:
    """What stands in the way of recording."""
    problem = retention.get("problem")
    alarms = [f"{alarm.get('text')} ({alarm.get('code')})" for alarm in retention.get("alarms") or []]
    return [*([f"Nothing is recorded for now: {problem}"] if problem else []), *alarms]


def show_retention(out: Output, retention: Mapping[str, Any]) -> None:
    """Print how far the retention store is."""
    if not retention:
        return
    names = ("enabled", "store", "lag_ms", "lag_rows", "holds", "next_purge_ms", "anchors")
    shown = {words(name): value(name, retention.get(name)) for name in names}
    shown["lag"] = lasting(retention.get("lag_ms") or 0)
    for one in retention.get("far_behind") or []:
        at, end = one["at"], one["end"]
        shown[f"recorded of {one['source']}"] = f"{at:,} of {end:,} ({100 * at // end} %)"
    shown["under way"] = ", ".join(UNDER_WAY.get(one, one) for one in dict.fromkeys(retention.get("waiting") or []))
    out.facts("Retention store", shown)
    for name, log in (retention.get("logs") or {}).items():
        age = log.get("checkpoint_age_ms")
        lasts = {"checkpoint age": lasting(age)} if isinstance(age, int) else {}
        out.facts(f"Log {name}", {**cells(log), **lasts})


def show_standing(out: Output, standing: Mapping[str, Any]) -> None:
    """Print how many measures there are, and which wait for staff."""
    if not standing:
        return
    removals, told = standing.get("removals") or [], standing.get("notices") or {}
    out.facts(
        "Measures",
        {
            **cells(standing.get("in_force") or {}),
            "stopped for everybody": ", ".join(standing.get("emergency") or []) or None,
            "wait for you (groupreg measure list --due)": len(standing.get("due") or []),
            "reports due": standing.get("reports_due"),
            "appeals that wait": standing.get("appeals"),
            "proposals that wait": standing.get("proposals"),
            "closed groups with members to be removed": len(removals),
            "groups whose labels are to be written": standing.get("labels"),
            "notices that wait": told.get("waiting", 0) + told.get("sending", 0),
            "notices that could not be sent": told.get("failed"),
        },
    )
    for one in removals:
        if one.get("problem"):
            out.warn(f"{one['room_id']}: {one['problem']}")


def show_exempt(out: Output, exempt: Mapping[str, Any]) -> None:
    """Print whom the rules don't bind, and why."""
    reasons = {
        "configured": "exempt: in the configuration",
        "server_admins": "server admin",
        "appservices": "appservice",
    }
    rows = [(str(who), reasons.get(kind, words(kind))) for kind, names in exempt.items() for who in names]
    out.table("Exempt from the rules", ("who", "why"), rows, empty="Nobody.")


def show_federated(out: Output, federated: Mapping[str, Any]) -> None:
    """Print which groups other servers can take part in; caps can't be exact there."""
    rooms = federated.get("rooms") or []
    count = federated.get("count", len(rooms))
    out.heading("Federated groups")
    out.say(f"{plural(count, 'group')}. {CAPS_OF_FEDERATED}" if count else "None.")
    for room in rooms:
        out.say(f"  {room if isinstance(room, str) else room.get('room_id')}")


def show_counters(out: Output, counters: Mapping[str, Any]) -> None:
    """Print what was refused, and what would have been, by code."""
    refused, dry = counters.get("refused") or {}, counters.get("dry") or {}
    rows = [(code, refused.get(code, 0), dry.get(code, 0)) for code in sorted({*refused, *dry})]
    out.table("Since the start of this process", ("code", "refused", "dry"), rows, empty="Nothing was refused.")
    if counters.get("refusals_lost"):
        out.warn(
            f"{plural(counters['refusals_lost'], 'refusal')} could not be journalled: look in Synapse's log for why."
        )

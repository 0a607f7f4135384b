# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting report packets together, and noting how far they are (article 11.4). Nothing is ever sent."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import Conflict, Invalid, NotFound, Problem
from synapse_groupreg.handlers.act_appeals import show_in_full
from synapse_groupreg.handlers.act_measures import find as find_measure
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.measures import show as show_measure
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.policy.actions import SetReport
from synapse_groupreg.policy.measures import SOMEBODY, Measure, ReportState, SubjectKind
from synapse_groupreg.policy.packets import Packet, PacketState
from synapse_groupreg.storage import appeals, known_logs, numbers, packets, rooms, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.policy.packet_actions import MakePacket, SetPacket
    from synapse_groupreg.storage.database import Transaction

_ORDER = list(PacketState)


def make(txn: Transaction, setting: Setting, action: MakePacket) -> Change:
    """Write down what is known now; later changes don't change the packet."""
    found = [find_measure(txn, number) for number in dict.fromkeys(action.measure_ids)]
    facts: Facts = {
        "server": setting.server_name,
        "measures": [_reported(txn, one) for one in found],
        "records": _records(txn, setting, found),
        "attachments": [attrs.asdict(one) for one in action.attachments],
    }
    wanted = Packet(id=0, author=setting.staff.user_id, made_ms=setting.now_ms, facts=facts)
    made = packets.insert(txn, wanted)
    return _change(None, made)


def set_state(
    txn: Transaction,
    setting: Setting,
    action: SetPacket,
    carry_out: Callable[[Transaction, Setting, SetReport], Change],
) -> Change:
    """Note how far a packet is, and with it the reports of its measures."""
    before = find(txn, action.packet_id)
    if (before.state, before.text) == (action.state, action.text):
        return _change(before, before)
    needs_text = {PacketState.handed_in: "how it was handed in", PacketState.receipt: "the receipt"}
    if action.state in needs_text and not action.text:
        raise Invalid([Problem("text", f"must say {needs_text[action.state]}")])
    if _ORDER.index(action.state) < _ORDER.index(before.state):
        raise Conflict(f"Packet {before.id} is {before.state.value} already; make a new one to report again.")
    after = attrs.evolve(
        before, state=action.state, text=action.text, state_by=setting.staff.user_id, state_ms=setting.now_ms
    )
    packets.set_state(txn, after)
    said = f"packet {after.id}: {after.text}"
    for number in _numbers(after) if action.state is not PacketState.drafted else ():
        report = SetReport(measure_id=number, state=ReportState.handed_in, text=said, reason=action.reason)
        require(setting.staff, report.right)
        carry_out(txn, setting, report)
    return _change(before, after)


def find(txn: Transaction, packet_id: int) -> Packet:
    """A packet. Raises NotFound."""
    found = packets.get(txn, packet_id)
    if found is None:
        raise NotFound(f"There is no packet {packet_id}.")
    return found


def show(packet: Packet) -> Facts:
    """A packet as lists and the journal show it: which measures it is about, not what it says."""
    shown = attrs.asdict(packet, filter=attrs.filters.exclude("facts"))
    return {**shown, "state": packet.state.value, "measures": _numbers(packet)}


def show_with_facts(packet: Packet) -> Facts:
    """The same with what it says."""
    return {**show(packet), **packet.facts}


def authors(packet: Packet) -> list[str]:
    """Whose appeals it quotes."""
    return sorted({appeal["author"] for one in packet.facts["measures"] for appeal in one["appeals"]})


def _numbers(packet: Packet) -> list[int]:
    return [one["measure"]["id"] for one in packet.facts["measures"]]


def _reported(txn: Transaction, measure: Measure) -> Facts:
    room_id = measure.subject if measure.subject_kind is SubjectKind.room else measure.room
    return {
        "measure": show_measure(measure),
        "group": None if room_id is None else _group(txn, room_id),
        "appeals": [show_in_full(one) for one in appeals.of_measure(txn, measure.id)],
    }


def _group(txn: Transaction, room_id: str) -> Facts:
    row = rooms.ensure(txn, room_id)
    return {
        "room_id": room_id,
        "number": numbers.of_room(txn, room_id),
        "name": state.name(txn, room_id),
        "members": state.members(txn, room_id),
        "founder": None if row is None else row.founder,
    }


def _records(txn: Transaction, setting: Setting, found: list[Measure]) -> list[Facts]:
    """By reference: the last signed checkpoint of each log, and the commands that take the proven records out."""
    if setting.seal is None:
        return []
    commands = {"acts": _commands(found, "--log acts"), "events": _commands(found, "--log events")}
    return [
        {
            "log": log,
            "origin": known.origin,
            "shard": known.shard,
            "size": known.size,
            "root": known.root,
            "key": known.signing_key,
            "commands": commands[log],
        }
        for log, known in sorted(known_logs.newest(known_logs.everything(txn)).items())
        if log in commands
    ]


def _commands(found: list[Measure], log: str) -> list[str]:
    """What takes the records about these out, each proven. A glob names no account: no records are found by it."""
    made = []
    for one in found:
        if one.subject_kind is SubjectKind.room or one.subject_kind in SOMEBODY:
            named = f"{'--room' if one.subject_kind is SubjectKind.room else '--account'} {shlex.quote(one.entity)}"
            case, basis = shlex.quote(f"measure {one.id}"), shlex.quote(one.basis)
            made.append(f"groupreg export search {log} {named} --case {case} --basis {basis}")
    return made


def _change(before: Packet | None, after: Packet) -> Change:
    return Change(
        subject=f"packet {after.id}", before=None if before is None else show(before), after=show(after), id=after.id
    )

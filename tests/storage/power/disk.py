# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a disk may hold after the power failed: all that was synced, and of the rest whatever chance left there."""

from __future__ import annotations

import itertools
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import attrs

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""
_HEADER = struct.Struct("<iiqQ")


class Step(NamedTuple):
    """Something that a process did to a file, as tracer.c writes it down."""

    operation: str
    """open, close, write, truncate, sync, rename, link, unlink or mkdir, by its first letter."""
    fd: int
    number: int
    data: bytes


def steps(trace: Path) -> list[Step]:
    """What a trace tells."""
    told, at, found = trace.read_bytes(), 0, []
    while at < len(told):
        operation, fd, number, size = _HEADER.unpack_from(told, at)
        at += _HEADER.size + size
        found.append(Step(chr(operation), fd, number, told[at - size : at]))
    return found


class Write(NamedTuple):
    """Data that came to a file, or where it was cut."""

    at: int
    data: bytes | None


@attrs.define(eq=False)
class File:
    """A file: as programs see it, and as it is on the disk for certain."""

    live: bytearray = attrs.field(factory=bytearray)
    synced: bytes = b""
    waiting: list[Write] = attrs.field(factory=list)

    def take(self, change: Write) -> None:
        put(self.live, change)
        self.waiting.append(change)

    def sync(self) -> None:
        self.synced = bytes(self.live)
        self.waiting.clear()


def put(content: bytearray, change: Write) -> None:
    at, data = change
    end = at if data is None else at + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[at:]
    else:
        content[at:end] = data


@attrs.define(eq=False)
class Folder:
    """Names and what they stand for. A change is several names that change at once: a rename is whole or not at all."""

    live: dict[str, Node] = attrs.field(factory=dict)
    synced: dict[str, Node] = attrs.field(factory=dict)
    """As of when this folder was synced."""
    settled: dict[str, Node] = attrs.field(factory=dict)
    """As of when any folder was."""
    waiting: list[Names] = attrs.field(factory=list)
    """What changed since this folder was synced."""


Node = File | Folder
Names = dict[str, Node | None]


def give(names: dict[str, Node], change: Names) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


@attrs.frozen
class Luck:
    """How the disk treats what nobody synced."""

    chance: random.Random
    kept: float
    """How likely a change is there."""
    torn: float
    """How likely, if data aren't, some of their sectors are."""
    in_order: bool
    """Whether the file system's journal keeps the order in which names changed; else each goes its own way."""

    def keeps(self, _: object = None) -> bool:
        return self.chance.random() < self.kept

    def content(self, file: File) -> bytes:
        made = bytearray(file.synced)
        for change in file.waiting:
            if self.keeps():
                put(made, change)
            elif change.data is not None and self.chance.random() < self.torn:
                for sector in self._sectors(change.at, change.data, len(file.synced)):
                    put(made, sector)
        return bytes(made)

    def _sectors(self, at: int, data: bytes, synced: int) -> Iterator[Write]:
        start = at
        while start < at + len(data):
            end = min(at + len(data), start - start % SECTOR + SECTOR)
            if self.chance.random() < 0.5:
                yield Write(start, data[start - at : end - at])
            elif start >= synced and self.chance.random() < 0.5:
                # The file grew, and where no data came there is what the disk held before.
                yield Write(start, self.chance.randbytes(end - start))
            start = end


class Disk:
    """A folder that is empty at first, followed from step to step."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._root = Folder()
        # Its own name is on the disk; that it stands in a folder makes it a folder like others.
        self._above = Folder({"": self._root})
        self._open: dict[int, Node] = {}
        self._order: list[tuple[Folder, Names]] = []
        """All changes of names since any folder was synced."""

    def follow(self, step: Step) -> None:
        if step.operation in "oruml":
            self._follow_names(step)
        elif step.operation == "c":
            del self._open[step.fd]
        else:
            self._follow_content(step, self._open[step.fd])

    def live(self) -> dict[str, bytes]:
        """Every file as programs see it."""
        return {path: bytes(file.live) for path, file in _files(self._root, lambda folder: folder.live)}

    def after_power_loss(self, luck: Luck) -> dict[str, bytes]:
        """Every file as chance left it."""
        ordered = list(itertools.takewhile(luck.keeps, self._order)) if luck.in_order else []

        def names(folder: Folder) -> dict[str, Node]:
            left = dict(folder.settled if luck.in_order else folder.synced)
            mine = [change for where, change in ordered if where is folder]
            for change in mine if luck.in_order else filter(luck.keeps, folder.waiting):
                give(left, change)
            return left

        return {path: luck.content(file) for path, file in _files(self._root, names)}

    def _follow_content(self, step: Step, node: Node) -> None:
        if isinstance(node, Folder):
            assert step.operation == "s"
            node.synced = dict(node.live)
            node.waiting.clear()
            for folder, change in self._order:
                give(folder.settled, change)
            self._order.clear()
        elif step.operation == "s":
            node.sync()
        else:
            node.take(Write(step.number, step.data if step.operation == "w" else None))

    def _follow_names(self, step: Step) -> None:
        *source, target = [self._find(path) for path in os.fsdecode(step.data).split("\0")]
        folder, name = target
        if step.operation == "o":
            if name not in folder.live:
                self._change(folder, {name: File()})
            self._open[step.fd] = folder.live[name]
            self._cut(folder.live[name], step.number)
        elif step.operation == "m":
            self._change(folder, {name: Folder()})
        elif step.operation == "u":
            self._change(folder, {name: None})
        else:
            [(before, old)] = source
            assert before is folder, "a rename into another folder is not whole or not at all"
            self._change(folder, {name: folder.live[old]} | ({old: None} if step.operation == "r" else {}))

    @staticmethod
    def _cut(node: Node, flags: int) -> None:
        if isinstance(node, File) and flags & os.O_TRUNC and node.live:
            node.take(Write(0, None))

    def _change(self, folder: Folder, change: Names) -> None:
        give(folder.live, change)
        folder.waiting.append(change)
        self._order.append((folder, change))

    def _find(self, path: str) -> tuple[Folder, str]:
        *folders, name = "", *Path(path).relative_to(self._place).parts
        at = self._above
        for one in folders:
            below = at.live[one]
            assert isinstance(below, Folder)
            at = below
        return at, name


def _files(folder: Folder, names: Callable[[Folder], dict[str, Node]], path: str = "") -> Iterator[tuple[str, File]]:
    for name, node in names(folder).items():
        if isinstance(node, Folder):
            yield from _files(node, names, f"{path}{name}/")
        else:
            yield path + name, node

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checkpoints outside the store: what others may have seen, and what the store may therefore never contradict."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from synapse_groupreg.retention import notes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_groupreg.storage.store import Head


class Behind(Exception):
    """The store is not what a checkpoint says that was signed; the text says so and what helps."""


class Published:
    """The last checkpoint of each log, in a file of its own beside the keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, log: str) -> bool:
        """Whether anything was published."""
        return self._path(log).exists()

    def newest(self, log: str) -> notes.Checkpoint | None:
        """The last checkpoint that was published; None before the first. Raises NoteError if the file is damaged."""
        path = self._path(log)
        if not path.exists():
            return None
        # Not verified: the signing key may be another by now, and who can write here could also remove the file.
        return parse(path.read_text(encoding="utf-8", errors="replace"))

    def keep(self, log: str, note: str) -> None:
        """Publish a checkpoint: it is on disk before others hear of it. Raises OSError."""
        path = self._path(log)
        draft = path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        # Or a power failure could bring back the one before, and a store that was put back would pass for whole.
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def forget(self, log: str) -> None:
        """After an operator's word: a new shard begins, and its checkpoints have another origin."""
        self._path(log).unlink(missing_ok=True)

    def _path(self, log: str) -> Path:
        return self._folder / f"retention-{log}.checkpoint"


def parse(note: str) -> notes.Checkpoint:
    """What a signed note says, whoever signed it. Raises NoteError."""
    body, _, _ = note.partition("\n\n")
    return notes.Checkpoint.parse(body + "\n")


def shard_of(origin: str) -> int:
    """The shard whose checkpoints are signed as this."""
    last = origin.rpartition("/")[2]
    return int(last) if last.isdigit() else 1


def latest(*signed: notes.Checkpoint | None) -> notes.Checkpoint | None:
    """The one that covers most."""
    found = [one for one in signed if one is not None]
    return max(found, key=lambda one: (shard_of(one.origin), one.size), default=None)


def check(log: str, head: Head, origin: str, signed: notes.Checkpoint | None, root: Callable[[int], bytes]) -> None:
    """See that a log is the one of which a checkpoint was signed, and has all that it covers. Raises Behind.

    `root`: what it was at a size; raises KeyError where records are missing.
    """
    if signed is None or signed.size < head.base_size:
        return
    if signed.origin != origin:
        raise Behind(
            f"the last published checkpoint of the log {log} is of {signed.origin} and this store is of {origin}: name"
            " the right store in retention.store"
        )
    if signed.size > head.size:
        raise Behind(lacks(log, head.size, signed.size))
    try:
        found = root(signed.size)
    except KeyError:
        found = None  # an earlier period lacks records: its file is an older copy
    if found != signed.root:
        raise Behind(
            f"the store's log {log} is not the one whose first {signed.size} records were signed: it was changed, or"
            " put back from another copy. Put the right copy back; if it is lost, go on in a new shard by"
            " `groupreg retention epoch`, which is recorded"
        )


def lacks(log: str, size: int, signed: int) -> str:
    """What is wrong with a log that ends before what was signed."""
    return (
        f"the store's log {log} has {size} records and a checkpoint of {signed} was published: it was put back from"
        " an older copy, or emptied, or retention.store names another one. Name the right store, or put the newest"
        " copy back; if it is lost, go on in a new shard by `groupreg retention epoch`, which is recorded"
    )


def anchor_in_file(path: Path, note: str) -> None:
    """Add a checkpoint to a file, on another host if it serves its purpose. Raises OSError."""
    with path.open("a", encoding="utf-8") as file:
        file.write(note + "\n")
        file.flush()
        os.fsync(file.fileno())

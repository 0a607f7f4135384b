# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checkpoints outside the store: what others may have seen, and what the store may therefore never contradict."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from synapse_groupreg.retention import notes

if TYPE_CHECKING:
    from pathlib import Path


class Published:
    """The last checkpoint of each log, in a file of its own beside the keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, log: str) -> notes.Checkpoint | None:
        """The last checkpoint that was published; None before the first. Raises NoteError if the file is damaged."""
        path = self._path(log)
        if not path.exists():
            return None
        # Not verified: the signing key may be another by now, and who can write here could also remove the file.
        body, _, _ = path.read_text(encoding="utf-8", errors="replace").partition("\n\n")
        return notes.Checkpoint.parse(body + "\n")

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


def anchor_in_file(path: Path, note: str) -> None:
    """Add a checkpoint to a file, on another host if it serves its purpose. Raises OSError."""
    with path.open("a", encoding="utf-8") as file:
        file.write(note + "\n")
        file.flush()
        os.fsync(file.fileno())

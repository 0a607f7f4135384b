# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A disk so small that a test can fill it: a file system in memory. A test that may not mount one is skipped.

Nothing requires it, in CI neither: containers seldom may mount, and then this is not tried there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE = 4096
_FULL = os.strerror(errno.ENOSPC)


class SmallDisk:
    """A mounted file system that others may enter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take all the space that is left."""
        with self._ballast.open("ab", buffering=0) as file, pytest.raises(OSError, match=_FULL):  # noqa: PT012 - a loop
            while True:
                file.write(bytes(_PIECE))

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink()


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], SmallDisk]]:
    """Makes disks of so many MiB."""
    with contextlib.ExitStack() as mounted:

        def make(mib: int) -> SmallDisk:
            folder = Path(mounted.enter_context(tempfile.TemporaryDirectory(prefix="groupreg-disk-")))
            options = f"size={mib}m,mode=0755"
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
            try:
                subprocess.run(command, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("a small file system can't be mounted here: that takes root, and a container that may")
            mounted.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
            return SmallDisk(folder)

        yield make

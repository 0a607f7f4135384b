# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a trial remembers between two calls of `groupreg up`, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.rig.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_NAME = "localhost"
OPTIONS = "groupreg.yaml"


def _layout(noted: Layout | Mapping[str, Any]) -> Layout:
    return noted if isinstance(noted, Layout) else Layout(**noted)


@attrs.define(kw_only=True)
class Trial:
    """One trial server. Passwords and tokens are secrets and never logged."""

    folder: Path
    port: int
    postgres_port: int | None
    """None: the trial runs on SQLite."""
    registration_secret: str = attrs.field(repr=False)
    postgres_password: str = attrs.field(repr=False)
    redis_port: int | None = None
    layout: Layout | None = attrs.field(default=None, converter=attrs.converters.optional(_layout), repr=False)
    """None: the trial runs in one process, and without Redis."""
    passwords: dict[str, str] = attrs.field(factory=dict, repr=False)
    """Name of the account -> password."""
    tokens: dict[str, str] = attrs.field(factory=dict, repr=False)
    rooms: dict[str, str] = attrs.field(factory=dict)
    """Local part of the alias -> room id."""
    complete: bool = False
    """Whether the samples were all made: from then on they belong to who tries things out."""

    @property
    def url(self) -> str:
        """Where clients find the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def session(self) -> Path:
        """The admin's session file, for `groupreg --session`."""
        return self.folder / "session.json"

    @property
    def options(self) -> Path:
        """Where who tries things out writes the module's options."""
        return self.folder / OPTIONS

    @property
    def homeserver_yaml(self) -> Path:
        """Synapse's configuration, which is written anew at each start."""
        return self.folder / "synapse" / "homeserver.yaml"

    @property
    def processes(self) -> dict[str, int]:
        """Synapse's processes, the main one first, each with the port on which it listens."""
        return {"main": self.port} | ({} if self.layout is None else self.layout.ports())

    @property
    def addresses(self) -> dict[str, str]:
        """Where clients find each process that serves them, the main one first."""
        serving = {"main"} if self.layout is None else {"main", *self.layout.clients}
        return {name: f"http://127.0.0.1:{port}" for name, port in self.processes.items() if name in serving}

    @property
    def synapse_lock(self) -> Path:
        """The file that Synapse's main process holds locked while it runs."""
        return self.lock("synapse")

    def lock(self, server: str) -> Path:
        """The file that a server (`synapse`, `postgres`, `redis`, a worker by its name) holds locked while it runs."""
        return self.folder / f"{server}.lock"

    def save(self) -> None:
        """Write it down, whole or not at all."""
        notes = attrs.asdict(self, filter=lambda attribute, _: attribute.name != "folder")
        write_secret(_notes(self.folder), json.dumps(notes, indent=2))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The trial of `folder`; None when there was none."""
        path = _notes(folder)
        try:
            notes: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
            return cls(folder=folder, **notes)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            message = f"{path} is not one that `groupreg up` wrote: remove {folder} to begin anew."
            raise BadInput(message) from None


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    # mkstemp makes the file 0600 before a single byte of the text is in it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def _notes(folder: Path) -> Path:
    return folder / "trial.json"

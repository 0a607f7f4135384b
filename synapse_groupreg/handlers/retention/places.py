# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether two settings in the form of Synapse's `database` name one database, however each is written."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import parse_dsn

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL = {"", "localhost", "127.0.0.1", "::1", "[::1]"}
_PORT = "5432"


def same_place(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both name the same database; of two ways to write this machine, one is taken for the other."""
    if one["name"] != other["name"]:
        return False
    ours, theirs = _args(one), _args(other)
    if one["name"] == "sqlite3":
        return _file(ours) == _file(theirs)
    return _database(ours) == _database(theirs) and not _servers(ours).isdisjoint(_servers(theirs))


def _args(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is given to the engine; of PostgreSQL also what is said by a connection string."""
    given = {name: value for name, value in (settings.get("args") or {}).items() if value is not None}
    try:
        return {**parse_dsn(str(given.pop("dsn", ""))), **given}
    except psycopg2.ProgrammingError:
        return given  # the engine says at once what is wrong with it


def _file(given: Mapping[str, Any]) -> str:
    return os.path.realpath(Path(str(given.get("database", ""))))


def _database(given: Mapping[str, Any]) -> object:
    return given.get("dbname") or given.get("database") or given.get("user")


def _servers(given: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Host and port of each server that may be meant: several stand with commas between."""
    hosts = str(given.get("hostaddr") or given.get("host") or "").split(",")
    ports = str(given.get("port") or _PORT).split(",")
    ports += ports[-1:] * (len(hosts) - len(ports))
    return {(_host(host.strip()), port.strip() or _PORT) for host, port in zip(hosts, ports, strict=False)}


def _host(host: str) -> str:
    name = host.casefold().rstrip(".")
    own = {socket.gethostname().casefold(), socket.gethostname().casefold().partition(".")[0]}
    # A path is the folder of a socket, and so on this machine.
    return "" if name in _LOCAL | own or name.startswith(("/", "@", "127.")) else name

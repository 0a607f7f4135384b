# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opens the retention store that the configuration names, in the form of Synapse's own `database` section."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import BadConfig, Problem
from synapse_groupreg.storage.store_sqlite import SqliteReader, SqliteStore

if TYPE_CHECKING:
    from types import ModuleType

    from synapse_groupreg.storage.store_engine import Store, StoreReader

_WHERE = "retention.store"


def open_store(settings: Mapping[str, Any], log: str) -> Store:
    """The writer of one log. Raises BadConfig, and StoreUnavailable if the folder can't be used."""
    name, arguments = _read(settings)
    if name == "sqlite3":
        return SqliteStore(_folder(arguments), log)
    store: Store = _postgres().PostgresStore(arguments, log)
    return store


def open_reader(settings: Mapping[str, Any], log: str) -> StoreReader:
    """A reader of one log; it finds nothing where nothing is. Raises BadConfig."""
    name, arguments = _read(settings)
    if name == "sqlite3":
        return SqliteReader(_folder(arguments), log)
    reader: StoreReader = _postgres().PostgresReader(arguments, log)
    return reader


def _read(settings: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    name, arguments = settings.get("name"), settings.get("args")
    if name not in ("sqlite3", "psycopg2"):
        raise BadConfig([Problem(f"{_WHERE}.name", "must be sqlite3 or psycopg2, as in Synapse's database section")])
    if not isinstance(arguments, Mapping) or not arguments:
        raise BadConfig([Problem(f"{_WHERE}.args", "must say where the store is, as in Synapse's database section")])
    return name, arguments


def _folder(arguments: Mapping[str, Any]) -> Path:
    folder = arguments.get("database")
    if not isinstance(folder, str) or not folder or folder == ":memory:":
        raise BadConfig([Problem(f"{_WHERE}.args.database", "must be a folder: the store has a file for each month")])
    if Path(folder).is_file():
        raise BadConfig([Problem(f"{_WHERE}.args.database", "must be a folder, and is a file")])
    return Path(folder)


def _postgres() -> ModuleType:
    try:
        # A server on SQLite may not have it.
        return import_module("synapse_groupreg.storage.store_postgres")
    except ImportError as error:
        problem = Problem(f"{_WHERE}.name", "psycopg2 is not installed; install it, or use sqlite3")
        raise BadConfig([problem]) from error

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `groupreg check-config` finds wrong with the retention store beside the YAML: places, folders, key files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.fsck import KEY_FILES, find_place, open_keys
from synapse_groupreg.cli.times import now_ms, utc
from synapse_groupreg.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.cli.fsck import Place
    from synapse_groupreg.config import GroupRegConfig

LONGEST_FULL_MS = 1_096 * 86_400_000
"""Three years: a longer wish to keep what people write is looked at again."""


def store_problems(file: Path, config: GroupRegConfig, document: object, *, whole: bool) -> Iterator[Problem]:
    """Name what is wrong, each with its option; `whole`: the file is a homeserver.yaml.

    What depends on a server that has to run (PostgreSQL) is left out.
    """
    if not config.retention.enabled:
        return
    yield from until_problems(config)
    yield from folder_problems(config)
    server_name = document.get("server_name") if isinstance(document, dict) else None
    if not whole or not isinstance(document, dict) or not isinstance(server_name, str):
        return
    place = find_place(file, server_name, None)
    yield from writable("retention.keys_path", place.keys)
    if config.retention.store.args is not None and place.settings["name"] == "sqlite3":
        yield from writable("retention.store.args.database", Path(str(place.settings["args"].get("database", ""))))
    if is_synapses(place, document):
        text = "is Synapse's own database: the retention store needs one of its own, which no backup of it takes along"
        yield Problem("retention.store", text)
    else:
        yield from key_problems(place)


def until_problems(config: GroupRegConfig) -> Iterator[Problem]:
    """Say when contents are recorded no more already, or for longer than anybody can foresee."""
    until_ms, now = config.retention.full_until_ms, now_ms()
    if config.retention.content != "full" or until_ms is None:
        return
    if until_ms <= now:
        text = f"is over since {utc(until_ms)} UTC, so only digests of contents are kept: name a later day"
        yield Problem("retention.full_content.until", text)
    elif until_ms > now + LONGEST_FULL_MS:
        yield Problem("retention.full_content.until", "must be within three years: look at it again then")


def folder_problems(config: GroupRegConfig) -> Iterator[Problem]:
    """Name anchors in folders that are not there."""
    for number, anchor in enumerate(config.retention.anchors):
        if anchor.file is not None:
            folder = Path(anchor.file).parent
            where = f"retention.anchors.{number}.file"
            if not folder.is_dir():
                yield Problem(where, f"must be in a folder that is there: there is no {folder}")
            else:
                yield from writable(where, folder)


def writable(where: str, folder: Path) -> Iterator[Problem]:
    """Say so if a folder can neither be written to nor made by who runs this."""
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if not there.is_dir():
        yield Problem(where, f"must be a folder: {there} is a file")
    elif not os.access(there, os.W_OK | os.X_OK):
        text = f"must be a folder that Synapse's user may write to: {there} can't be written to by who runs this"
        yield Problem(where, text)


def is_synapses(place: Place, document: dict[str, Any]) -> bool:
    """Tell whether the store is the database of Synapse itself."""
    from synapse_groupreg.handlers.retention.places import same_place  # noqa: PLC0415 - brings psycopg2

    single = document.get("database")
    several = document.get("databases")
    given = [single, *(several.values() if isinstance(several, dict) else ())]
    settings = [one for one in given if isinstance(one, dict) and isinstance(one.get("name"), str)]
    return any(same_place(place.settings, one) for one in settings)


def key_problems(place: Place) -> Iterator[Problem]:
    """Say so if the key files don't belong to a store of files that is there."""
    from synapse_groupreg.errors import CannotStart  # noqa: PLC0415 - as below
    from synapse_groupreg.handlers.retention.belonging import check  # noqa: PLC0415 - brings the cryptography
    from synapse_groupreg.retention.records import LogName  # noqa: PLC0415 - as above
    from synapse_groupreg.storage.store import StoreUnavailable  # noqa: PLC0415 - as above
    from synapse_groupreg.storage.stores import open_reader  # noqa: PLC0415 - as above

    missing = [name for name in KEY_FILES if not (place.keys / name).exists()]
    if missing == list(KEY_FILES) and not is_begun(place):
        return  # the first start makes them
    if missing:
        text = f"must hold both key files: {missing[0]} is not in {place.keys}; put the original file back"
        yield Problem("retention.keys_path", text)
        return
    try:
        keys = open_keys(place)
    except BadInput as error:
        yield Problem("retention.keys_path", error.message)
        return
    for name in LogName if place.settings["name"] == "sqlite3" else ():
        reader = open_reader(place.settings, name.value)
        try:
            check(reader, name.value, place.server_name, keys, renewing=False)
        except (CannotStart, StoreUnavailable) as error:
            yield Problem("retention", str(error))
            return
        finally:
            reader.close()


def is_begun(place: Place) -> bool:
    """Tell whether there is a store of files already."""
    folder = Path(str(place.settings["args"].get("database", "")))
    return place.settings["name"] == "sqlite3" and any(folder.glob("*/*.db"))

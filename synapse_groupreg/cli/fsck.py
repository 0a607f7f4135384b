# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg fsck`: derive the retention store again from its rows, on the server's machine (article 13.2)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from synapse_groupreg.cli.check_config import find_entry, read_yaml
from synapse_groupreg.cli.failures import BadInput, Failure
from synapse_groupreg.cli.options import Cli, OneOf, json_option, pass_cli
from synapse_groupreg.cli.output import plural
from synapse_groupreg.retention.records import LogName
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.cli.output import Output
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.retention.checking import Checked
    from synapse_groupreg.homeserver.retention_keys import RetentionKeys

KEY_FILES = ("retention.keys", "retention-signing.key")


@frozen(kw_only=True)
class Place:
    """Where the store is, and what opens it."""

    server_name: str
    keys: Path
    settings: Mapping[str, Any]
    """In the form of Synapse's `database`."""


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="homeserver.yaml, or our `config:` of it."
)
@click.option("--server-name", metavar="NAME", help="Of the homeserver, if the file is not homeserver.yaml.")
@click.option("--keys", type=click.Path(path_type=Path), help="Folder of the keys, if it is not where the file says.")
@click.option("--log", "logs", multiple=True, type=OneOf(list(LogName)), help="Only this log.")
@click.option("--period", "months", multiple=True, metavar="MONTH", help="Only this month, like 2026-11; repeatable.")
@json_option
@pass_cli
def fsck(
    cli: Cli,
    *,
    config: Path,
    server_name: str | None,
    keys: Path | None,
    logs: tuple[str, ...],
    months: tuple[str, ...],
) -> None:
    """Derive the retention store again from its rows, and say what does not agree.

    Run it on the server's machine, as the user that Synapse runs as; the server may run meanwhile. It reads every
    record and changes nothing: each record's hash, the chains of rooms and accounts, the tree, every checkpoint, how
    far each source was taken, and the checkpoint that is kept beside the keys.

    \b
    Exit codes:
      0  everything agrees
      1  something does not: each finding says where, and what helps
      2  wrong usage, or the store or its keys can't be read
    """  # noqa: D301 - \b keeps click from joining the lines
    wrong = [month for month in months if not re.fullmatch(r"\d{4}-\d{2}", month)]
    if wrong:
        raise BadInput(f"--period is a month like 2026-11, and not {wrong[0]}.")
    place = find_place(config, server_name, keys)
    found = {log: check(cli.out, place, log, months) for log in logs or tuple(LogName)}
    if cli.as_json:
        cli.out.data({log: {**attrs.asdict(one), "ok": not one.faults} for log, one in found.items()})
    else:
        show(cli.out, found)
    if any(one.faults for one in found.values()):
        raise Failure("The store is not what it should be.")


def find_place(file: Path, server_name: str | None, keys: Path | None) -> Place:
    """What the configuration says. Raises BadInput."""
    from synapse_groupreg.config import load  # noqa: PLC0415 - pydantic takes longer to import than other commands run
    from synapse_groupreg.errors import BadConfig  # noqa: PLC0415 - as above

    document = read_yaml(file)
    entry, _ = find_entry(document)
    if entry is None:
        raise BadInput(f"{file.name} has no entry of synapse_groupreg: see groupreg check-config {file.name}.")
    try:
        config = load(entry.config)
    except BadConfig:
        raise BadInput(f"{file.name} is not right: see groupreg check-config {file.name}.") from None
    named = document.get("server_name") if isinstance(document, dict) else None
    server_name = server_name or named
    if not isinstance(server_name, str):
        raise BadInput(f"{file.name} doesn't name the homeserver: say --server-name.")
    folder = keys or folder_of(config, file, whole=bool(entry.where))
    store = config.retention.store
    settings = {"name": store.name, "args": store.args or {"database": str(folder / "retention")}}
    return Place(server_name=server_name, keys=folder, settings=settings)


def folder_of(config: GroupRegConfig, file: Path, *, whole: bool) -> Path:
    """The folder of the keys: as configured, or beside homeserver.yaml. Raises BadInput."""
    configured = config.retention.keys_path or config.identity.keys_path
    if configured:
        return Path(configured)
    if not whole:
        raise BadInput(f"{file.name} doesn't say where the keys are: say --keys, or name homeserver.yaml.")
    return file.absolute().parent / "groupreg"


def open_keys(place: Place) -> RetentionKeys:
    """The keys, which are never made here. Raises BadInput."""
    from synapse_groupreg.errors import CannotStart  # noqa: PLC0415 - as above
    from synapse_groupreg.homeserver.retention_keys import RetentionKeys  # noqa: PLC0415 - as above

    missing = [name for name in KEY_FILES if not (place.keys / name).is_file()]
    if missing:
        raise BadInput(f"There is no {missing[0]} in {place.keys}: say --keys, the folder of the server's keys.")
    try:
        return RetentionKeys(str(place.keys), place.server_name, _no_server_key)
    except (CannotStart, OSError) as error:
        raise BadInput(f"The keys can't be read: {error}.") from None


def _no_server_key() -> Any:
    raise BadInput("Nothing is endorsed here.")


def check(out: Output, place: Place, log: str, months: Sequence[str]) -> Checked:
    """Check a log, with a bar on a terminal. Raises BadInput."""
    from synapse_groupreg.errors import GroupRegError  # noqa: PLC0415 - as above
    from synapse_groupreg.handlers.retention.checking import LogCheck  # noqa: PLC0415 - as above
    from synapse_groupreg.handlers.retention.published import Published  # noqa: PLC0415 - as above
    from synapse_groupreg.handlers.retention.reading import Opener, Removed  # noqa: PLC0415 - as above
    from synapse_groupreg.retention.notes import NoteError  # noqa: PLC0415 - as above
    from synapse_groupreg.retention.sealing import SealError  # noqa: PLC0415 - as above
    from synapse_groupreg.storage.store import StoreUnavailable  # noqa: PLC0415 - as above
    from synapse_groupreg.storage.stores import open_reader  # noqa: PLC0415 - as above

    keys = open_keys(place)
    try:
        published = Published(place.keys).newest(log)
        opener = Opener(open_reader(place.settings, log), log, place.server_name, keys)
        try:
            whole = LogCheck(opener, place.server_name, keys.public, published)
            with out.progress(f"Checking {log}", whole.size) as move:
                return whole.run(move, months)
        finally:
            opener.close()
    except Removed:
        raise BadInput("A period was removed, as its time was up, while it was read: run this again.") from None
    except NoteError as error:
        raise BadInput(f"retention-{log}.checkpoint beside the keys can't be read: {error}.") from None
    except (GroupRegError, SealError, StoreUnavailable) as error:
        raise BadInput(f"The store can't be read: {str(error).rstrip('.')}.") from None


def show(out: Output, found: Mapping[str, Checked]) -> None:
    """The result for people."""
    for log, one in found.items():
        counted = f"{plural(one.records, 'record')} and {plural(one.checkpoints, 'checkpoint')} were checked"
        if not one.faults:
            out.say(f"{log}: {counted}; everything agrees.", style="green")
        else:
            out.say(f"{log}: {counted}, and these do not agree:", style="bold red")
        for fault in one.faults:
            out.say(f"  {fault}", style="red")
        if one.more:
            out.say("  There are more.")
        if one.unknown:
            unknown = plural(one.unknown, "checkpoint")
            out.say(f"  {unknown} of the right root: by keys whose records were removed since, so not verified.")

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg export`: records as files that anybody verifies without the server (article 13.1)."""

from __future__ import annotations

import os
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.options import Cli, OneOf, Whole, act_command, check_user_id
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.times import since, until
from synapse_groupreg.retention.bundle import file_name
from synapse_groupreg.retention.records import Kind, LogName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Output

RECORD = b'"h":"'
"""Stands once in each record's line, and with a quote that isn't escaped nowhere else."""
WAIT_S = 120
"""The server answers once the export was recorded and signed for, and it has looked what there is."""


@click.group()
def export() -> None:
    """Take records out, as files that anybody verifies without the server.

    For inspectors and server admins. That you did, for which case and on what basis is recorded before anything is
    handed out. Others than whom you ask for are shown by tokens only, unless you ask for --identities.
    """


def export_command(command: Any) -> Any:
    """Give a command the options of every export."""
    recipient = "Encrypt the file for this recipient of age (age1...); repeatable."
    to_file = "Where to write; default: bundle-CASE-LOG.jsonl here. Nothing is overwritten."
    for option in (
        click.option("--age-recipient", "recipients", multiple=True, metavar="KEY", help=recipient),
        click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help=to_file),
        click.option("--content", is_flag=True, help="Show what events say, where it is kept; needs --reason."),
        click.option("--identities", is_flag=True, help="Show everybody's names and addresses; needs --reason."),
        click.option("--log", type=OneOf(list(LogName)), default="events", show_default=True, help="Which log."),
        click.option("--to", "to_ms", callback=until, metavar="TIME", help="Not after; a day counts to its end."),
        click.option("--from", "from_ms", callback=since, metavar="TIME", help="Not before, like 7d or 2026-11-01."),
        click.option("--basis", required=True, metavar="TEXT", help="The legal basis."),
        click.option("--case", required=True, metavar="NUMBER", help="The case; who gets the file reads it."),
    ):
        command = option(command)
    return act_command(command)


@export.command()
@click.argument("room")
@export_command
def room(cli: Cli, room: str, **options: Any) -> None:
    """Export all records of ROOM, an id or alias, with the proof that none is missing.

    With --from and --to, of the months that they touch.
    """
    run(cli, {"mode": "subject", "room_id": lambda client: client.room_id(room)}, **options)


@export.command()
@click.argument("user_id")
@export_command
def account(cli: Cli, user_id: str, **options: Any) -> None:
    """Export all that USER_ID did, with the proof that nothing of it is missing.

    With --from and --to, of the months that they touch. What others did to the account: `groupreg export search`.
    """
    run(cli, {"mode": "subject", "user_id": check_user_id(user_id)}, **options)


@export.command("range")
@click.option("--first", type=Whole(min=0), help="Index of the first record, instead of --from.")
@click.option("--end", type=Whole(min=0), help="Index of the one after the last, instead of --to.")
@export_command
def range_(cli: Cli, first: int | None, end: int | None, **options: Any) -> None:
    """Export every record of a log, or those of a time, with the proof that none is missing."""
    run(cli, {"mode": "range", "from": first, "to": end}, **options)


@export.command()
@click.option("--room", metavar="ROOM", help="Only what happened in this room (id or alias).")
@click.option("--account", metavar="USER", help="Only what this account did, or what was done to it.")
@click.option("--kind", "kinds", multiple=True, type=OneOf(list(Kind)), help="Only this kind; repeatable.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type of event, attempt or act.")
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Only refusals with this code, like room-full.")
@export_command
def search(
    cli: Cli,
    *,
    room: str | None,
    account: str | None,
    kinds: tuple[str, ...],
    types: tuple[str, ...],
    codes: tuple[str, ...],
    **options: Any,
) -> None:
    """Export the records that meet all conditions. Each is proven; that there are no others is not."""
    verdicts = [f"{how}:{code}" for code in codes for how in ("refused", "dry")]
    conditions = {
        "mode": "filter",
        "room_id": None if room is None else lambda client: client.room_id(room),
        "user_id": account and check_user_id(account),
        "kinds": list(kinds) or None,
        "types": list(types) or None,
        "verdicts": verdicts or None,
    }
    run(cli, conditions, **options)


def run(
    cli: Cli,
    wanted: dict[str, Any],
    *,
    out: Path | None,
    recipients: tuple[str, ...],
    dry_run: bool,
    **said: Any,
) -> None:
    """Ask for the export, download what it comes to, and say how to verify it."""
    if (said["identities"] or said["content"]) and not said["reason"]:
        raise BadInput("Say why: --identities and --content need --reason, which is recorded.")
    check_free(target(out or Path(file_name(said["case"], said["log"], 1)), 1, recipients))
    client = cli.client()
    given = {name: value(client) if callable(value) else value for name, value in wanted.items()}
    body = {name: value for name, value in {**given, **said}.items() if value is not None}
    answer = client.act("POST", "exports", body, dry_run=dry_run, timeout=WAIT_S)
    files = [] if dry_run else [
        fetch(cli, answer, part, target(out or Path(bundle["file"]), part, recipients), recipients)
        for part, bundle in enumerate(answer["bundles"], 1)
    ]  # fmt: skip
    if cli.as_json:
        cli.out.data({**answer, "files": [str(file) for file in files]})
    elif dry_run:
        cli.out.say("Nothing was exported. The server would do it, and record who asked for what.")
    else:
        show(cli.out, answer, files)
        kept = (client.get("policy").get("retention") or {}).get("content") if said["content"] else "full"
        if kept != "full":
            cli.out.note(
                f"retention.content is {kept}: the file has contents only of what was recorded while it was full."
            )


def target(out: Path, part: int, recipients: tuple[str, ...]) -> Path:
    """Where a part goes: the first as it is named, the others with their number."""
    if part > 1:
        out = out.with_name(f"{out.stem}-{part}{out.suffix}")
    return out.with_name(f"{out.name}.age") if recipients and out.suffix != ".age" else out


def check_free(file: Path) -> None:
    """Say at once that a file is in the way, before anything is recorded."""
    if file.exists():
        raise BadInput(f"{file} is there already: name another file by --out.")


def fetch(cli: Cli, answer: Answer, part: int, file: Path, recipients: tuple[str, ...]) -> Path:
    """Download one bundle into a file, whole or not at all."""
    client = cli.client()
    with (
        client.download(path("exports", answer["id"]), part=part) as chunks,
        cli.out.progress("Exporting", answer["bundles"][part - 1].get("records")) as move,
        new_file(file) as sink,
    ):
        write(counted(chunks, move), sink, recipients)
    return file


def counted(chunks: Iterable[bytes], move: Callable[[int], None]) -> Iterator[bytes]:
    """The same, with each record counted."""
    rest = b""
    for chunk in chunks:
        seen = rest + chunk
        move(seen.count(RECORD))
        rest = seen[-len(RECORD) + 1 :]
        yield chunk


def write(chunks: Iterator[bytes], sink: BinaryIO, recipients: tuple[str, ...]) -> None:
    """Write it, encrypted if that is asked for."""
    if recipients:
        from synapse_groupreg.cli.age import encrypt  # noqa: PLC0415 - seldom asked for

        encrypt(chunks, sink, recipients)
        return
    sink.writelines(chunks)


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """A file for the owner's eyes, which is removed again if not all came to be in it. Raises BadInput."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        check_free(file)
        raise
    except OSError as error:
        raise BadInput(f"Can't write {file}: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb") as sink:
            yield sink
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def show(out: Output, answer: Answer, files: list[Path]) -> None:
    """What was written, and what to do with it."""
    out.say(f"Exported {plural(len(files), 'bundle')}; it is recorded as export {answer['id']}.")
    for file, bundle in zip(files, answer["bundles"], strict=True):
        out.say(f"  {file}  ({file.stat().st_size:,} bytes)")
        identity = " --identity FILE" if file.suffix == ".age" else ""
        out.say(f"Verify it with: groupreg verify {shlex.quote(str(file))}{identity}")
        out.heading("The log's checkpoint that it is proven by; compare it where checkpoints are published")
        for line in bundle["checkpoint"].strip().split("\n"):
            out.say(line)

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg packet`: reports to the authority, put together and handed in by people. Nothing is ever sent."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg import texts
from synapse_groupreg.cli.changes import report as say
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.export import check_free, new_file
from synapse_groupreg.cli.failures import BadInput, Failure, Refused
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.options import Cli, OneOf, Whole, act_command, limit_option, server_command
from synapse_groupreg.cli.packet_text import markdown
from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Client
    from synapse_groupreg.cli.output import Cell

STATES = ("handed-in", "receipt")
COLUMNS = ("id", "measures", "made (UTC)", "by", "state", "since (UTC)", "text")
_EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)
_IN_LANGUAGE = click.option(
    "--language", type=OneOf(texts.LANGUAGES), help="Of what people read.  [default: the server's]"
)


@click.group()
def packet() -> None:
    """Put reports to the authority together, and note how far they are; nothing is sent."""


@packet.command()
@click.argument("measures", type=Whole(min=1), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=".", help="Folder for the two files.")
@click.option("--attach", multiple=True, type=_EXISTING, help="A file that goes with it, such as a bundle; repeatable.")
@_IN_LANGUAGE
@act_command
def make(
    cli: Cli,
    measures: tuple[int, ...],
    out: Path,
    attach: tuple[Path, ...],
    language: str | None,
    *,
    dry_run: bool,
    reason: str | None,
) -> None:
    """Put together what is reported about MEASURES, by their numbers, as packet-N.md and packet-N.json.

    Attachments stay where they are; the packet has their names, sizes and SHA-256.
    """
    measures = tuple(dict.fromkeys(measures))
    body = {"measures": list(measures), "attachments": [reference(file) for file in attach], "reason": reason}
    client = cli.client()
    if not dry_run:
        check_writable(out)
    answer = client.act("POST", "packets", {k: held for k, held in body.items() if held}, dry_run=dry_run)
    files = [] if dry_run else written(client, answer["id"], out, reason, language)
    if cli.as_json:
        cli.out.data({**answer, "files": [str(file) for file in files]})
        return
    if dry_run:
        cli.out.say(f"Dry run, nothing was changed. This would make a packet about measures {shown(measures)}.")
        return
    cli.out.say(f"Made packet {answer['id']} about measures {shown(measures)}; it was sent nowhere.")
    for file in files:
        cli.out.say(f"  {file}")


@packet.command("list")
@limit_option
@server_command
def list_(cli: Cli, limit: int) -> None:
    """List the packets, the newest first."""
    answer = cli.client().listing("packets", "packets", limit=limit)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows: list[list[Cell]] = [
        [
            str(one["id"]),
            shown(one["measures"]),
            utc(one["made_ms"]),
            one["author"],
            one["state"],
            utc(one.get("state_ms")),
            one.get("text"),
        ]
        for one in answer["packets"]
    ]
    cli.out.table("Packets", COLUMNS, rows, empty="None.")
    say_rest(cli.out, answer, "packets")


@packet.command()
@click.argument("number", type=Whole(min=1))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write both files into this folder again."
)
@click.option("--reason", metavar="TEXT", help="Why you look; kept in the record where it quotes appeals.")
@_IN_LANGUAGE
@server_command
def show(cli: Cli, number: int, out: Path | None, reason: str | None, language: str | None) -> None:
    """Show one packet as it was made.

    NUMBER is the one that groupreg packet list shows.
    """
    client = cli.client()
    answer = client.get(path("packets", number), reason=reason)
    files = [] if out is None else write(out, answer, language_of(client, language))
    if cli.as_json:
        cli.out.data(answer)
    elif files:
        for file in files:
            cli.out.say(f"  {file}")
    else:
        for line in markdown(answer, language_of(client, language)).splitlines():
            cli.out.say(line)


@packet.command()
@click.argument("number", type=Whole(min=1))
@click.argument("state", type=OneOf(STATES))
@click.option("--text", metavar="TEXT", required=True, help="The receipt, or how it was handed in.")
@act_command
def state(cli: Cli, number: int, state: str, text: str, *, dry_run: bool, reason: str | None) -> None:
    """Note how far a packet is; the reports of its measures follow.

    NUMBER is the one that groupreg packet list shows; STATE handed-in or receipt; --text says how, or is the receipt.
    """
    body = {name: held for name, held in {"state": state, "text": text, "reason": reason}.items() if held is not None}
    answer = cli.client().act("PUT", path("packets", number, "state"), body, dry_run=dry_run)
    what = f"{state} for packet {number}"
    say(cli.out, answer, act=f"note {what}", done=f"Noted {what}", said=("state_by", "state_ms"))


def reference(file: Path) -> dict[str, Any]:
    """What identifies a file."""
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return {"name": file.name, "size": file.stat().st_size, "sha256": digest}


def language_of(client: Client, wanted: str | None) -> str:
    """The language asked for, else the server's own."""
    return wanted or str(client.get("policy")["default_language"])


def check_writable(folder: Path) -> None:
    """Make the folder and try to write there, before the server makes anything. Raises BadInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(f"Can't write into {folder}: {error.strerror}. Name another folder by --out.") from None


def written(client: Client, number: int, out: Path, reason: str | None, language: str | None) -> list[Path]:
    """Write a packet that was just made. Raises Refused: it is there, so nobody is to make it again."""
    try:
        return write(out, client.get(path("packets", number), reason=reason), language_of(client, language))
    except (Failure, OSError) as error:
        why = error.message if isinstance(error, Failure) else f"{error.strerror}."
        raise Refused(
            f"Packet {number} was made, but not written to files: {why}",
            [f"Write it with: groupreg packet show {number} --out FOLDER"],
        ) from None


def write(folder: Path, found: dict[str, Any], language: str) -> list[Path]:
    """Write a packet into two new files, for the owner's eyes. Raises BadInput."""
    said = {
        "md": markdown(found, language),
        "json": json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) + "\n",
    }
    files = {folder / f"packet-{found['id']}.{suffix}": text for suffix, text in said.items()}
    check_writable(folder)
    for file in files:
        check_free(file)
    for file, text in files.items():
        with new_file(file) as sink:
            sink.write(text.encode())
    return list(files)


def shown(numbers: Any) -> str:
    """Write numbers of measures in a sentence."""
    return ", ".join(map(str, numbers))

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg verify`: check a bundle of records, without a server, and say what that means."""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs
import click

from synapse_groupreg.cli.changes import words
from synapse_groupreg.cli.failures import BadInput, Failure
from synapse_groupreg.cli.options import Cli, json_option, pass_cli
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.cli.output import Output
    from synapse_groupreg.retention.findings import Report
    from synapse_groupreg.retention.notes import Verify
    from synapse_groupreg.retention.provenance import Trust

KEY_BYTES = 32


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("--vkey", metavar="KEY", help="The log's key, known from elsewhere than the bundle.")
@click.option(
    "--server-key", "server_keys", multiple=True, metavar="ED25519:ID=KEY", help="A signing key of the homeserver."
)
@click.option("--identity", type=click.Path(path_type=Path), help="File with your identity of age, if it is encrypted.")
@click.option("--openssl", is_flag=True, help="Check signatures with the openssl program.")
@click.option("--standalone-script", is_flag=True, help="Write out a second verifier, one file of Python, and stop.")
@json_option
@pass_cli
def verify(
    cli: Cli,
    *,
    bundle: Path | None,
    vkey: str | None,
    server_keys: tuple[str, ...],
    identity: Path | None,
    openssl: bool,
    standalone_script: bool,
) -> None:
    """Check a bundle of records, without a server.

    BUNDLE is a file of `groupreg export`. Every record of it is checked to stand in the signed log, unchanged, and the
    whole to be what it claims. A key of the homeserver is shown by its /_matrix/key/v2/server, there under verify_keys.

    \b
    Exit codes:
      0  verified
      1  failed: each failure is listed with its line
      2  wrong usage, or the file is no bundle
    """  # noqa: D301 - \b keeps click from joining the lines
    if standalone_script:
        from synapse_groupreg.cli import verify_bundle  # noqa: PLC0415 - seldom asked for

        sys.stdout.write(Path(verify_bundle.__file__).read_text("utf-8"))
        return
    if bundle is None:
        raise BadInput("Say which file: groupreg verify BUNDLE.")
    report = run(cli.out, bundle, trust_in(vkey, server_keys), signature_check(openssl=openssl), identity)
    if cli.as_json:
        cli.out.data(as_json(report))
    elif report.readable:
        show(cli.out, bundle, report)
    if not report.readable:
        raise BadInput(f"{bundle.name} is no bundle: {report.findings[0].text}.")
    if not report.ok:
        raise Failure(f"{bundle.name} does not verify.")


def trust_in(vkey: str | None, server_keys: tuple[str, ...]) -> Trust:
    """What is to be trusted, as it was typed. Raises BadInput."""
    from synapse_groupreg.retention.notes import Key, NoteError  # noqa: PLC0415 - `groupreg --help` needs no mathematics
    from synapse_groupreg.retention.provenance import Trust  # noqa: PLC0415 - as above

    if vkey is not None:
        try:
            Key.parse(vkey)
        except NoteError as error:
            raise BadInput(f"--vkey can't be used: {error}.") from None
    return Trust(vkey, dict(map(server_key, server_keys)))


def server_key(text: str) -> tuple[str, bytes]:
    """Id and public key, from `ed25519:ID=BASE64`. Raises BadInput."""
    key_id, _, encoded = text.partition("=")
    encoded = encoded.rstrip("=")
    try:
        key = b64decode(encoded + "=", validate=True)
    except ValueError:
        key = b""
    right = len(key) == KEY_BYTES and b64encode(key).decode().rstrip("=") == encoded
    if not key_id.startswith("ed25519:") or not right:
        raise BadInput("--server-key must be like ed25519:a_AbCd=BASE64, a key's id and the key of 32 bytes in base64.")
    return key_id, key


def signature_check(*, openssl: bool) -> Verify:
    """How signatures are checked: by the library, or by the openssl program where that is asked for or all there is."""
    from synapse_groupreg.cli import verify_bundle  # noqa: PLC0415 - as above

    if not openssl:
        try:
            from synapse_groupreg.retention.ed25519 import verify as by_library  # noqa: PLC0415 - may be missing
        except ImportError:
            pass
        else:
            return by_library

    def by_program(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            return verify_bundle.openssl(public, message, signature)
        except OSError:
            raise BadInput("There is no openssl program here (3.0 or newer) to check signatures with.") from None

    return by_program


def run(out: Output, bundle: Path, trust: Trust, check: Verify, identity: Path | None) -> Report:
    """Verify the file, with a bar on a terminal. Raises BadInput where it can't be read."""
    from synapse_groupreg.cli.processes import processes_for, spread_over  # noqa: PLC0415 - as above
    from synapse_groupreg.retention.lines import lines_of  # noqa: PLC0415 - as above
    from synapse_groupreg.retention.verifier import verify_bundle  # noqa: PLC0415 - as above

    try:
        size = bundle.stat().st_size
        with opened(bundle, identity) as lines, out.progress("Verifying", size) as move:
            return verify_bundle(lines_of(lines), check, trust, move, spread_over(processes_for(size)))
    except OSError as error:
        raise BadInput(f"Can't read {bundle}: {error.strerror or error}.") from None


@contextmanager
def opened(bundle: Path, identity: Path | None) -> Iterator[BinaryIO]:
    """Open the file; decrypted, if it is encrypted. Raises BadInput."""
    from synapse_groupreg.cli.age import MAGIC, decrypted  # noqa: PLC0415 - as above

    with bundle.open("rb") as file:
        if not file.peek(len(MAGIC)).startswith(MAGIC):
            yield file
        elif identity is None:
            raise BadInput(f"{bundle.name} is encrypted: name the file with your identity by --identity.")
        else:
            with decrypted(file, identity) as plain:
                yield plain


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {"ok": report.ok, **attrs.asdict(report), "meaning": meaning(report) if report.ok else []}


def show(out: Output, bundle: Path, report: Report) -> None:
    """The report for people: one page."""
    if not report.ok:
        out.say(f"FAILED  {bundle.name}", style="bold red")
        for finding in report.findings:
            out.say(f"  {finding}", style="red")
        if report.more:
            out.say("  There are more: the rest was not read.")
        out.say("Nothing in the file may be relied on.")
        return
    said = report.manifest
    if report.endorsement_checked or report.key == "given":
        out.say(f"VERIFIED  {bundle.name}", style="bold green")
    else:
        out.say(f"VERIFIED, but nobody vouched for the key  {bundle.name}", style="bold yellow")
    out.facts("What it is", {
        "log": said["origin"],
        "about": about(said),
        "case": said["case"],
        "basis": said["basis"],
        "made by": said["by"],
        "made at": f"{utc(said['made_ms'])} UTC",
        "identities": "asked for" if said["identities"] else "left out",
    })  # fmt: skip
    out.facts("What it holds", {
        "records": report.records,
        "of these": ", ".join(f"{count:,} {kind}" for kind, count in report.kinds.items()) or None,
        "from": f"{utc(report.first_ms)} UTC" if report.records else None,
        "to": f"{utc(report.last_ms)} UTC" if report.records else None,
        "disclosed fields": report.disclosures,
        "contents": report.contents,
        "log at the time": f"{plural(report.size, 'record')}, root {report.root}",
        "key": said["vkey"],
    })  # fmt: skip
    out.heading("What that means")
    for sentence in meaning(report):
        out.say(f"- {sentence}")


def about(said: dict[str, Any]) -> str:
    """What the bundle claims to be, in a few words."""
    if said["mode"] == "range":
        first, end = said["range"]
        return f"all records from {first:,} to {end - 1:,}" if end > first else "no records"
    if said["mode"] == "subject":
        return f"{said['subject']['kind']} {said['subject']['name']}"
    conditions = ", ".join(f"{words(key)} {condition(key, value)}" for key, value in said["filter"].items())
    return f"a selection: {conditions}" if conditions else "some records"


def condition(name: str, value: object) -> str:
    """A condition of a selection, in words."""
    if isinstance(value, list):
        return " or ".join(map(str, value))
    return f"{utc(value)} UTC" if name.endswith("_ms") and isinstance(value, int) else str(value)


def meaning(report: Report) -> list[str]:
    """What a bundle that verifies shows and what it doesn't, in sentences."""
    by_mode = {"range": range_meaning, "subject": subject_meaning, "filter": filter_meaning}
    return [
        "Every record in the file stands in the log at its place, and nothing of it was changed since it was recorded.",
        *by_mode[report.manifest["mode"]](report),
        *key_meaning(report),
        *anchor_meaning(report),
    ]


def range_meaning(report: Report) -> list[str]:
    """Complete, and how far."""
    first, end = report.manifest["range"]
    return [
        f"COMPLETE: of the log's records from {first:,} to {end - 1:,} none is missing.",
        "Fields that are not disclosed were left out or erased; that they were there, the records show.",
    ]


def subject_meaning(report: Report) -> list[str]:
    """Complete for each period, and what isn't proven."""
    subject = report.manifest["subject"]
    whom = f"room {subject['name']}" if subject["kind"] == "room" else f"what {subject['name']} did"
    found = []
    for part in report.coverage:
        where = f"{plural(part.records, 'record')} of {whom}"
        if part.period:
            found.append(f"COMPLETE for the period of records {part.period[0]:,} to {part.period[1]:,}: {where}.")
        elif part.by == "tally":
            found.append(f"COMPLETE up to record {part.until:,} in a period that was open then: {where}.")
        else:
            found.append(
                f"Complete only up to record {part.until:,}, the last one shown: {where}; later ones may exist."
            )
    found.append("Of periods that are not named here the file shows nothing, also not that there are no records.")
    if subject["kind"] == "account":
        found.append("Records in which others did something to the account may be missing.")
    return found


def filter_meaning(report: Report) -> list[str]:  # noqa: ARG001 - as the others
    """Not complete."""
    return ["A SELECTION: each record shown is genuine, but the file does not show whether others were left out."]


def key_meaning(report: Report) -> list[str]:
    """How far the key is known."""
    if report.endorsement_checked:
        return ["The homeserver's key, which you gave, vouches for the log's key."]
    unchecked = "No --server-key was given: the key's endorsement was not checked against the homeserver's key."
    if report.key == "given":
        return [f"It is signed by the key that you gave. {unchecked}"]
    claimed = (
        "So far the file only agrees with itself: whoever made it may have made the key too. Compare the key with one"
        " that you got elsewhere (--vkey), or give the homeserver's key."
    )
    return [unchecked, claimed]


def anchor_meaning(report: Report) -> list[str]:
    """Whether somebody else can vouch."""
    anchors = report.manifest["anchors"]
    if not anchors:
        none = (
            "UNANCHORED: no copy of the log's root outside the operator's reach is named. Who holds the log's key could"
            " have rewritten the whole log before this file was made, and the file would verify all the same."
        )
        return [none]
    places = ", ".join(f"{anchor['where']} ({anchor['kind']})" for anchor in anchors)
    named = (
        f"ANCHORED, if the same size and root stand in: {places}. Compare them there: then the log was not rewritten"
        " since they were put there."
    )
    return [named]

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg account import`: verify many accounts from a file, all or none.

The file is checked here in full, then handed over in chunks that the server keeps aside, then committed at once.
Whatever goes wrong before the commit, the server is told to forget the chunks, so that nothing is applied.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.csv_rows import read_rows
from synapse_groupreg.cli.failures import BadInput, Failure, NotAllowed, Refused
from synapse_groupreg.cli.options import Cli, act_command
from synapse_groupreg.cli.output import plural

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Answer, Client
    from synapse_groupreg.cli.csv_rows import Row
    from synapse_groupreg.cli.output import Output

CHUNK = 500
COMMIT_S = 600
"""A large import is one transaction and takes its time."""


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@act_command
def import_(cli: Cli, file: Path, *, dry_run: bool, reason: str | None) -> None:
    """Verify many accounts from a CSV file, all or none.

    FILE is UTF-8 and begins with a line that names its columns: user_id, assurance and, if you like, reference (your
    own number of the person, kept by the server only as a keyed digest; the same reference means the same person).
    """
    rows = load(file)
    client = cli.client()
    answer = send(client, cli.out, rows, reason=reason, dry_run=dry_run)
    if cli.as_json:
        cli.out.data(answer)
    else:
        cli.out.say(result(answer, dry_run=dry_run))


def load(file: Path) -> list[Row]:
    """Read and check the file, or fail with every problem in it."""
    try:
        data = file.read_bytes()
    except OSError as error:
        message = f"Can't read {file}: {error.strerror}. Nothing was sent."
        raise BadInput(message) from None
    rows, problems = read_rows(data)
    if problems:
        lines = [f"{file.name}:{problem}" for problem in problems]
        count = plural(len(problems), "problem")
        message = f"{file.name} has {count}; nothing was sent. Correct the file and run this again:"
        raise BadInput(message, lines)
    return rows


def send(client: Client, out: Output, rows: list[Row], *, reason: str | None, dry_run: bool) -> Answer:
    """Hand the rows over and commit them; on any failure, an interrupt among them, withdraw all."""
    number = client.act("POST", "imports", {"reason": reason} if reason else {})["id"]
    committing = False
    try:
        hand_over(client, out, rows, number)
        committing = True
        answer = client.act("POST", path("imports", number, "commit"), dry_run=dry_run, timeout=COMMIT_S)
    except (Failure, KeyboardInterrupt) as error:
        gone = withdraw(client, number)
        # Only a commit without an answer leaves a doubt, and a successful withdrawal removes it.
        certain = gone or dry_run or not committing or isinstance(error, (BadInput, NotAllowed))
        raise failed(error, certain=certain) from None
    if dry_run:
        withdraw(client, number)
    return answer


def hand_over(client: Client, out: Output, rows: list[Row], number: int) -> None:
    """Send the rows, chunk by chunk; the server keeps them aside."""
    with out.progress("Handing over", len(rows)) as advance:
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            client.act("PUT", path("imports", number, "rows"), {"rows": [row.as_json() for row in chunk]})
            advance(len(chunk))


def withdraw(client: Client, number: int) -> bool:
    """Tell the server to forget an import; says whether it did."""
    try:
        client.act("DELETE", path("imports", number))
    except Failure:
        return False
    return True


def failed(error: Failure | KeyboardInterrupt, *, certain: bool) -> Failure:
    """Turn what broke an import into a sentence that also says what was applied."""
    failure = error if isinstance(error, Failure) else Refused("Interrupted.")
    after = (
        "Nothing was applied." if certain else "It is not certain whether the import was applied: see groupreg acts."
    )
    return type(failure)(f"{failure.message} {after}", failure.details)


def result(answer: Answer, *, dry_run: bool) -> str:
    """Say what an import did."""
    accounts, linked, unchanged = (int(answer.get(key) or 0) for key in ("accounts", "linked", "unchanged"))
    counts = f"{plural(accounts, 'account')} verified, {linked:,} of them linked to another, {unchanged:,} unchanged"
    return f"Dry run, nothing was changed. The import would leave: {counts}." if dry_run else f"Imported: {counts}."

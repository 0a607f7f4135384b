# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg mode`: judge only, or refuse."""

from __future__ import annotations

import click

from synapse_groupreg.cli.changes import report
from synapse_groupreg.cli.failures import Refused
from synapse_groupreg.cli.options import Cli, OneOf, act_command
from synapse_groupreg.cli.output import only
from synapse_groupreg.cli.plan import summary
from synapse_groupreg.cli.server import mode_sentence


@click.command()
@click.argument("mode", type=OneOf(["dry", "enforce"]), required=False)
@click.option("--yes", is_flag=True, help="Don't ask before enforcing.")
@act_command
def mode(cli: Cli, mode: str | None, *, yes: bool, dry_run: bool, reason: str | None) -> None:
    """Show the mode, or switch it on all workers at once.

    MODE is `dry` (judge, journal and count, refuse nothing) or `enforce` (refuse). On a terminal, enforce first shows
    what the rules would do here and asks.
    """
    client, out = cli.client(), cli.out
    if mode is None:
        answer = client.get("policy")
        if cli.as_json:
            out.data(only(answer, "mode", "dry_run"))
        else:
            out.say(mode_sentence(answer.get("mode")))
        return
    if mode == "enforce" and cli.interactive and not (yes or dry_run):
        for line in summary(client.get("plan")):
            out.note(line)
        if not click.confirm("Enforce the rules now?", err=True):
            message = "Nothing was changed. Look closer with: groupreg plan"
            raise Refused(message)
    body = {"mode": mode, "reason": reason} if reason else {"mode": mode}
    answer = client.act("PUT", "mode", body, dry_run=dry_run)
    report(out, answer, act=f"switch to {mode}", done=f"Switched to {mode} on all workers")

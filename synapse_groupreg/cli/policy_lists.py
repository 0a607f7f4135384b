# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg blacklist import|export|follow|unfollow|followed`: Matrix policy lists, from and to files and rooms."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report, waits
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.failures import BadInput, TooMany
from synapse_groupreg.cli.options import Cli, OneOf, act_command, server_command
from synapse_groupreg.cli.output import plural
from synapse_groupreg.errors import Invalid
from synapse_groupreg.policy import policy_files
from synapse_groupreg.policy.policy_lists import PolicyRule, RuleEvent, RuleKind, to_send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.cli.client import Client
    from synapse_groupreg.cli.output import Cell, Output

IMPORT_S = 600
"""A long list is one transaction and takes its time."""
KINDS = {"room": RuleKind.room, "room_glob": RuleKind.room, "server": RuleKind.server}
"""Kind of an entry's subject -> kind of rule; all the others are users."""
TOUCHES = ("accounts", "others", "rooms", "servers")


@click.command("import")
@click.argument("source")
@click.option("--basis", metavar="TEXT", required=True, help="The rule that the entries rest on, like 'article 11.3'.")
@click.option("--scope", type=OneOf(["groups", "account"]), help="What accounts lose.  [default: server's rule]")
@click.option("--skip-refused", is_flag=True, help="Leave out rules that touch staff or this server.")
@act_command
def import_(cli: Cli, source: str, *, dry_run: bool, **fields: Any) -> None:
    """Put all that a policy list names on the blacklist, or nothing of it.

    SOURCE is a file (JSON, CSV with the column entity, or an entity a line) or a policy room that this server is in,
    by its id or alias. With --dry-run it shows whom and what each rule touches here.
    """
    body = {name: held for name, held in fields.items() if held}
    body |= {"room": source} if source[:1] in ("!", "#") else {"rules": load(Path(source)), "source": Path(source).name}
    answer = cli.client().act("POST", "blacklist/import", body, dry_run=dry_run, timeout=IMPORT_S)
    if cli.as_json:
        cli.out.data(answer)
        return
    show_rules(cli.out, answer)
    if not waits(cli.out, answer):
        counts = figures(answer.get("counts") or {})
        cli.out.say(f"Dry run, nothing was changed. {counts}" if answer.get("dry_run") else counts)


@click.command()
@click.argument("target")
@click.option("--format", "form", type=OneOf(["json", "csv"]), help="Form of the file.  [default: by its name]")
@click.option("--force", is_flag=True, help="Overwrite the file, if there is one.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@server_command
def export(cli: Cli, target: str, form: str | None, *, force: bool, dry_run: bool) -> None:
    """Write the entries in force as policy rules to a file or a policy room.

    TARGET is a file, - for standard output, or a room by its id or alias. Rules in a room are sent in your own name:
    you must be in it, with the power to send them. Those that an earlier export wrote and that are not on the
    blacklist any more are withdrawn there; rules that people made stay. Scope, basis and end have no place in a rule.
    """
    in_room = target[:1] in ("!", "#")
    if not in_room and Path(target).is_dir():
        raise BadInput(f"{target} is a folder: name a file in it.")
    if not (in_room or force or target == "-") and Path(target).exists():
        raise BadInput(f"{target} is there already: name another file, or overwrite it by --force.")
    client = cli.client()
    entries = client.listing("blacklist", "blacklist")["blacklist"]
    rules = list(dict.fromkeys(written(entry) for entry in entries))
    if in_room:
        to_room(cli, client, client.room_id(target), rules, dry_run=dry_run)
        return
    as_csv = form == "csv" or (form is None and target.endswith(".csv"))
    text = policy_files.to_csv(rules) if as_csv else policy_files.to_json(rules)
    if target == "-":
        sys.stdout.write(text)
        return
    if not dry_run:
        save(Path(target), text)
    if cli.as_json:
        cli.out.data({"dry_run": dry_run, "rules": len(rules)})
        return
    cli.out.say(f"{'Dry run: would write' if dry_run else 'Wrote'} {plural(len(rules), 'rule')} to {target}.")


@click.command()
@click.argument("room")
@act_command
def follow(cli: Cli, room: str, *, dry_run: bool, reason: str | None) -> None:
    """Carry out the rules of a policy room from now on, as they are added, changed and withdrawn there.

    ROOM is the id or an alias of a room that somebody of this server is in. Rules that touch staff or this server are
    skipped; see them with groupreg blacklist followed.
    """
    client = cli.client()
    body = {"reason": reason} if reason else {}
    answer = client.act("PUT", path("followed", client.room_id(room)), body, dry_run=dry_run, timeout=IMPORT_S)
    if not cli.as_json:
        show_rules(cli.out, answer)
    report(cli.out, answer, act=f"follow {room}", done=f"Following {room}")


@click.command()
@click.argument("room")
@act_command
def unfollow(cli: Cli, room: str, *, dry_run: bool, reason: str | None) -> None:
    """Follow a policy room no more, and lift the entries that it kept.

    ROOM is its id or an alias.
    """
    client = cli.client()
    body = {"reason": reason} if reason else {}
    answer = client.act("DELETE", path("followed", client.room_id(room)), body, dry_run=dry_run, timeout=IMPORT_S)
    report(cli.out, answer, act=f"unfollow {room}", done=f"{room} is not followed any more; its entries are lifted")


@click.command()
@server_command
def followed(cli: Cli) -> None:
    """List the policy rooms that are followed, and which of their rules are not carried out."""
    answer = cli.client().get("followed")
    if cli.as_json:
        cli.out.data(answer)
        return
    rooms = answer.get("followed") or []
    rows: list[list[Cell]] = [
        [one["room_id"], one["name"], one["rules"], one["entries"], one["skipped_total"], one["follower"]]
        for one in rooms
    ]
    columns = ("room", "name", "rules", "entries", "skipped", "follower")
    cli.out.table("Followed policy rooms", columns, rows, empty="None.")
    for one in rooms:
        if not one["here"]:
            cli.out.warn(f"This server is not in {one['room_id']} any more: its entries stay as they are.")
        skipped: list[list[Cell]] = [[rule["entity"], rule["why"]] for rule in one["skipped"]]
        if skipped:
            cli.out.table(f"Not carried out from {one['name']}", ("rule", "why"), skipped)


def load(file: Path) -> list[dict[str, str]]:
    """Read the rules of a file, or fail with every line that is wrong."""
    try:
        # A page of an error saved as list.json must not bar the server that its first word names.
        rules = policy_files.read(file.read_text(encoding="utf-8-sig"), as_json=file.suffix.lower() == ".json")
    except OSError as error:
        raise BadInput(f"Can't read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{file.name} must be UTF-8.") from None
    except Invalid as error:
        raise BadInput(f"{file.name} is no policy list:", [f"  {problem}" for problem in error.problems]) from None
    if not rules:
        raise BadInput(f"{file.name} has no rule that bans anybody.")
    return [{"kind": rule.kind.value, "entity": rule.entity, "reason": rule.reason} for rule in rules]


def save(file: Path, text: str) -> None:
    """Write a file, or say why not."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"Can't write {file}: {error.strerror}.") from None


def written(entry: Mapping[str, Any]) -> PolicyRule:
    """An entry as a rule."""
    kind = KINDS.get(entry["subject_kind"], RuleKind.user)
    return PolicyRule(kind=kind, entity=entry["subject"], reason=entry["reason"])


def to_room(cli: Cli, client: Client, room_id: str, rules: list[PolicyRule], *, dry_run: bool) -> None:
    """Bring a policy room up to date, in the name of who is logged in."""
    there = [
        RuleEvent(type=event["type"], state_key=event["state_key"], content=event["content"])
        for event in client.room_state(room_id)
    ]
    events = to_send(rules, there)
    if not dry_run:
        with cli.out.progress("Sending", len(events)) as advance:
            for event in events:
                where = f"/_matrix/client/v3/rooms/{path(room_id)}/state/{path(event.type, event.state_key)}"
                patiently(client, where, event.content)
                advance(1)
    added = sum(bool(event.content) for event in events)
    if cli.as_json:
        cli.out.data({"dry_run": dry_run, "added": added, "withdrawn": len(events) - added})
        return
    done = f"{plural(added, 'rule')} added and {len(events) - added:,} withdrawn in {room_id}."
    cli.out.say(f"Dry run, nothing was sent. It would be: {done}" if dry_run else f"Done: {done}")


def patiently(client: Client, where: str, content: Mapping[str, Any]) -> None:
    """Send a state event, waiting as long as the server asks for."""
    while True:
        try:
            client.request("PUT", where, body=content)
        except TooMany as limit:
            time.sleep(limit.wait_s)
        else:
            return


def show_rules(out: Output, answer: Mapping[str, Any]) -> None:
    """Print what a dry run says of each rule that touches something here, or isn't carried out."""
    rules = answer.get("rules") or []
    rows: list[list[Cell]] = [
        [rule["entity"], rule["result"], *(who(rule["touches"], name) for name in TOUCHES), rule["why"]]
        for rule in rules
    ]
    if rows:
        names = ("rule", "result", "accounts here", "accounts elsewhere", "rooms", "servers", "why")
        out.table("Rules that touch something here", names, rows)
        hidden = answer.get("rules_total", 0) - len(rules)
        if hidden > 0:
            out.say(f"... and {hidden:,} more.")


def who(touches: Mapping[str, Any], name: str) -> str:
    """Write how many a rule touches, and the first of them."""
    found = touches.get(name) or {"count": 0, "first": []}
    if not found["count"]:
        return ""
    more = ", ..." if found["count"] > len(found["first"]) else ""
    return f"{found['count']:,}: {', '.join(found['first'])}{more}"


def figures(counts: Mapping[str, int]) -> str:
    """Write what became of the rules."""
    new, already = counts.get("new", 0), counts.get("already", 0)
    refused, unreadable = counts.get("refused", 0), counts.get("unreadable", 0)
    left = f"; {refused:,} left out because of whom they touch" if refused else ""
    wrong = f"; {unreadable:,} not understood" if unreadable else ""
    return f"{plural(new, 'new entry', 'new entries')}, {already:,} on the blacklist already{left}{wrong}."

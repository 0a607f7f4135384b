# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg check-config`: every problem of a configuration at once, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import click

from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.options import Cli, json_option, pass_cli
from synapse_groupreg.cli.output import clean, plural
from synapse_groupreg.errors import BadConfig, Problem
from synapse_groupreg.values import frozen

MODULE = "synapse_groupreg.GroupRegModule"
HOMESERVER_KEYS = frozenset({"server_name", "modules", "listeners", "database"})


@frozen
class Entry:
    """A module configuration and where in the file it stands."""

    where: str
    config: object


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@pass_cli
def check_config(cli: Cli, file: Path) -> None:
    """Check a configuration file, without a server.

    FILE is a homeserver.yaml with an entry of synapse_groupreg, or the `config:` of that entry alone. All problems are
    listed, one a line, each with its place in the YAML and what would be right. It also looks whether folders can be
    written to and whether the keys belong to the retention store: so run it as the user that Synapse runs as.
    """
    document = read_yaml(file)
    entry, problems = find_entry(document)
    if entry:
        problems = config_problems(entry) or retention_problems(file, entry, document)
    if cli.as_json:
        cli.out.data({"ok": not problems, "problems": [attrs.asdict(problem) for problem in problems]})
    for problem in problems:
        click.echo(clean(f"{file.name}: {problem}"), err=True)
    if problems:
        message = f"{file.name} has {plural(len(problems), 'problem')}: mend it before Synapse is started with it."
        raise BadInput(message)
    if entry and not cli.as_json:
        cli.out.say(f"{file.name} is right: {summary(entry)}.")


def read_yaml(file: Path) -> object:
    """Read the file, or say where it is no YAML."""
    import yaml  # noqa: PLC0415 - no other command reads YAML

    try:
        return yaml.safe_load(file.read_text("utf-8-sig"))
    except OSError as error:
        message = f"Can't read {file}: {error.strerror}."
        raise BadInput(message) from None
    except UnicodeDecodeError:
        message = f"{file} must be UTF-8."
        raise BadInput(message) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        message = f"{file.name}:{place}: is no valid YAML here: {error.problem}."
        raise BadInput(message) from None
    except yaml.YAMLError:
        message = f"{file.name} is no valid YAML: it holds characters that YAML doesn't allow."
        raise BadInput(message) from None


def find_entry(document: object) -> tuple[Entry | None, list[Problem]]:
    """Find our configuration in a homeserver.yaml, or take the document as one."""
    if not isinstance(document, dict):
        return None, [Problem("", "must be a mapping: a homeserver.yaml, or the module's configuration")]
    if "worker_app" in document:
        return None, [Problem("", "is the file of one worker: the module stands in the one that all processes share")]
    if not HOMESERVER_KEYS & document.keys():
        return Entry("", document), []
    return find_module(document.get("modules") or [])


def find_module(modules: object) -> tuple[Entry | None, list[Problem]]:
    """Find our entry in the `modules:` of a homeserver.yaml."""
    ours = [number for number, module in enumerate(modules) if is_ours(module)] if isinstance(modules, list) else []
    if not isinstance(modules, list) or not ours:
        return None, [Problem("modules", f"must be a list with an entry `- module: {MODULE}`")]
    if len(ours) > 1:
        return None, [
            Problem(f"modules[{number}]", "must be there once: an earlier entry is ours too") for number in ours[1:]
        ]
    where = f"modules[{ours[0]}]"
    entry: dict[str, Any] = modules[ours[0]]
    if entry["module"] != MODULE:
        return None, [Problem(f"{where}.module", f"must be {MODULE}")]
    return Entry(f"{where}.config", entry.get("config") or {}), []


def is_ours(module: object) -> bool:
    """Tell whether an entry of `modules` names this package."""
    return isinstance(module, dict) and str(module.get("module")).split(".")[0] == "synapse_groupreg"


def config_problems(entry: Entry) -> list[Problem]:
    """List what is wrong with a module configuration, each with its full place in the file."""
    from synapse_groupreg.config import load  # noqa: PLC0415 - pydantic takes longer to import than other commands to run

    try:
        load(entry.config)
    except BadConfig as error:
        return [Problem(full_path(entry.where, problem.path), problem.text) for problem in error.problems]
    return []


def retention_problems(file: Path, entry: Entry, document: object) -> list[Problem]:
    """Say what is wrong with the places of the retention store."""
    from synapse_groupreg.cli.check_store import store_problems  # noqa: PLC0415 - as above
    from synapse_groupreg.config import load  # noqa: PLC0415 - as above

    found = store_problems(file, load(entry.config), document, whole=bool(entry.where))
    return [Problem(full_path(entry.where, problem.path), problem.text) for problem in found]


def full_path(where: str, path: str) -> str:
    """Put the place of the entry before a place inside it."""
    return ".".join(part for part in (where, path) if part)


def summary(entry: Entry) -> str:
    """Say the two choices that matter most."""
    from synapse_groupreg.config import load  # noqa: PLC0415 - as above

    config = load(entry.config)
    return f"mode {config.mode}, federation {config.federation}"

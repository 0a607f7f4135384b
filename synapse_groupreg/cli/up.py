# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg up` and `groupreg down`: a real server on this machine for trying things out."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synapse_groupreg.cli.failures import BadInput, Refused
from synapse_groupreg.cli.options import Cli, Whole, json_option, pass_cli
from synapse_groupreg.cli.session import Session, write_session
from synapse_groupreg.cli.trial import guide, options, samples, servers
from synapse_groupreg.cli.trial.folder import OPTIONS, Trial
from synapse_groupreg.rig.detached import holder
from synapse_groupreg.rig.layout import Layout
from synapse_groupreg.rig.process import RigError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

data_option = click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The folder of the server's files.",
)


@click.command()
@data_option
@click.option("--port", type=Whole(1, 65535), help="Where to serve clients [default: a free port, kept].")
@click.option("--postgres", is_flag=True, help="Keep the data in a PostgreSQL of its own instead of SQLite.")
@click.option(
    "--workers",
    is_flag=True,
    help="Run Synapse in six processes, as config/workers/ does, with a PostgreSQL and a Redis of their own.",
)
@json_option
@pass_cli
def up(cli: Cli, folder: Path, port: int | None, *, postgres: bool, workers: bool) -> None:
    """Start a server with sample people and groups, for trying things out.

    It listens on this machine only and runs on until `groupreg down`. Called again, it continues with the same data.
    The module's options stand in groupreg.yaml in the folder of its files, over those that it begins with; they are
    read at each start. Synapse's own homeserver.yaml is written anew then.
    """
    with one_sentence():
        trial = prepare(folder.resolve(), port, postgres=postgres, workers=workers)
        options.offer(trial)
        config = options.module_config(trial)
        if not servers.running(trial):
            cli.out.note("Starting the server ...")
        elif options.outdated(trial, config):
            cli.out.note(f"The server runs with other options than {OPTIONS} has: stop it with `groupreg down` first.")
        servers.start(trial, config)
        with cli.out.progress("Sample accounts and groups", samples.count(trial)) as advance:
            samples.make(trial, advance)
        admin = samples.ADMIN
        write_session(trial.session, Session(trial.url, trial.tokens[admin], samples.user_id(admin)))
    if cli.as_json:
        cli.out.data(guide.data(trial))
    else:
        guide.show(cli.out, trial)


@click.command()
@data_option
@json_option
@pass_cli
def down(cli: Cli, folder: Path) -> None:
    """Stop the server that `groupreg up` started; its data stay."""
    with one_sentence():
        trial = Trial.load(folder.resolve())
        stopped = trial is not None and servers.stop(trial)
    if cli.as_json:
        cli.out.data({"stopped": stopped})
    else:
        cli.out.say("Stopped." if stopped else f"No server of {folder} runs.")


def prepare(folder: Path, port: int | None, *, postgres: bool, workers: bool) -> Trial:
    """Find the trial of `folder`, or begin one there."""
    trial = Trial.load(folder)
    if trial is None:
        return begin(folder, port, postgres=postgres, workers=workers)
    if workers and trial.layout is None:
        message = f"The server in {folder} runs in one process: choose another folder with --data."
        raise BadInput(message)
    if postgres and trial.postgres_port is None:
        message = f"The server in {folder} keeps its data in SQLite: choose another folder with --data."
        raise BadInput(message)
    if port is not None and port != trial.port:
        if holder(trial.synapse_lock) is not None:
            message = f"The server already runs at {trial.url}: stop it first with `groupreg down`."
            raise Refused(message)
        trial.port = port
        trial.save()
    return trial


def begin(folder: Path, port: int | None, *, postgres: bool, workers: bool) -> Trial:
    """Begin a trial in an empty folder."""
    if folder.exists() and any(file.name != OPTIONS for file in folder.iterdir()):
        message = f"{folder} holds files of something else: choose another folder with --data."
        raise BadInput(message)
    # Passable, not readable: PostgreSQL may have to run as another account than root.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    except OSError as error:
        message = f"Can't make the folder {folder}: {error.strerror}. Choose another with --data."
        raise BadInput(message) from None
    trial = Trial(
        folder=folder,
        port=port or free_port(),
        postgres_port=free_port() if postgres or workers else None,
        redis_port=free_port() if workers else None,
        layout=Layout.of() if workers else None,
        registration_secret=secrets.token_urlsafe(24),
        postgres_password=secrets.token_urlsafe(24),
    )
    trial.save()
    return trial


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn what the servers' side says into a failure of the command."""
    try:
        yield
    except RigError as error:
        sentence, *details = str(error).splitlines()
        raise Refused(sentence, details) from None
    except OSError as error:
        message = f"{error.filename or 'The data folder'}: {error.strerror or error}."
        raise Refused(message) from None

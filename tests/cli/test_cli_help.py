# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The front page and the help texts: complete, and cheap to load."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from synapse_groupreg.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result


def tree(command: click.Command, name: str = "groupreg") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for child in command.list_commands(ctx):
            found = command.get_command(ctx, child)
            assert found is not None, child
            yield from tree(found, f"{name} {child}")


COMMANDS = dict(tree(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{name} {param.name}"
        else:
            # click has no help for arguments: the text must explain each by its name.
            assert param.human_readable_name in command.help, f"{name} {param.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_shown(name: str, logged_out: Callable[..., Result]) -> None:
    result = logged_out(*name.split()[1:], "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {name}")


def test_every_promised_command_exists() -> None:
    promised = """up down check-config status plan mode acts refusals policy login
        account show|verify|unverify|limit|import room list|show|cap blacklist add|lift|list staff list|show|set"""
    names = {name.removeprefix("groupreg ") for name in COMMANDS}
    words = promised.split()
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if "|" in following:
            assert {f"{word} {child}" for child in following.split("|")} <= names
        elif "|" not in word:
            assert word in names


def test_every_command_that_asks_the_server_has_json() -> None:
    for name, command in COMMANDS.items():
        if not isinstance(command, click.Group) and name not in {"groupreg up", "groupreg down"}:
            assert "as_json" in {param.name for param in command.params}, name


def test_the_front_page_documents_exit_codes(logged_out: Callable[..., Result]) -> None:
    text = logged_out("--help").output
    for line in (
        "0  done",
        "1  the server refused",
        "2  wrong usage",
        "3  not logged in",
        "4  the server can't be reached",
    ):
        assert line in text


def test_importing_the_cli_imports_neither_synapse_nor_the_commands() -> None:
    code = (
        "import sys, synapse_groupreg.cli\n"
        "heavy = {'synapse', 'twisted', 'requests', 'pydantic', 'rich'}\n"
        "print([name for name in sys.modules if name.split('.')[0] in heavy])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_wrong_usage(logged_out: Callable[..., Result]) -> None:
    assert logged_out("frobnicate").exit_code == 2
    slip = logged_out("stauts")
    assert slip.exit_code == 2
    assert "Did you mean 'status'?" in slip.output


@pytest.mark.parametrize(
    ("command", "near"),
    [(["measure", "impose", "warnign"], "warning"), (["mode", "enforced"], "enforce")],
)
def test_a_mistyped_choice_gets_the_nearest_one(groupreg: Callable[..., Result], command: list[str], near: str) -> None:
    said = groupreg(*command)
    assert (said.exit_code, f"Did you mean '{near}'?" in said.stderr) == (2, True)


def test_an_argument_is_called_by_its_name_and_its_words_stand_in_the_help() -> None:
    for name, command in tree(main):
        context = click.Context(command, info_name=name)
        for param in command.params:
            if isinstance(param, click.Argument) and isinstance(param.type, click.Choice):
                assert "{" not in command.get_usage(context)
                missing = [word for word in param.type.choices if str(word) not in (command.help or "")]
                assert not missing, f"{name}: {missing}"

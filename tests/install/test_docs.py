# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The documentation names files, sections and commands that are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from synapse_groupreg.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}


def anchors(text: str) -> set[str]:
    """The anchors that headings get."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[page]):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def commands() -> list[str]:
    """What the pages tell people to type, in blocks of shell and within a sentence."""
    found = set()
    for text in TEXTS.values():
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        found |= set(re.findall(r"^ *(?:docker compose exec synapse )?(groupreg .*)$", blocks, re.MULTILINE))
        found |= {one for one in re.findall(r"`(groupreg [^`\n]+)`", text) if "…" not in one}
    return sorted(found)


@pytest.mark.parametrize("command", commands())
def test_commands_and_their_options_are_there(command: str) -> None:
    words = shlex.split(command.partition(" > ")[0])[1:]
    done = CliRunner().invoke(main, [*words, "--help"])
    assert done.exit_code == 0, done.output


def test_every_snippet_is_documented() -> None:
    named = "\n".join(TEXTS.values())
    for path in (ROOT / "config").iterdir():
        assert f"config/{path.name}" in named, path.name

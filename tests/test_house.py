# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The conventions of this house, as tests: what a reviewer would otherwise have to look for."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import synapse_groupreg
from synapse_groupreg import errors, texts
from synapse_groupreg.config import CODES, load
from synapse_groupreg.handlers.actions import CARRY_OUT
from synapse_groupreg.policy import (
    TABLES,
    blacklist,
    federation,
    groups,
    identity,
    mutes,
    quotas,
    roles,
    slow,
    suspensions,
)
from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.types import Violation
from synapse_groupreg.storage.database import migrations
from synapse_groupreg.web.acting import Acting
from synapse_groupreg.web.api import endpoints
from synapse_groupreg.web.appealing import Appealing
from synapse_groupreg.web.exporting import Exporting
from synapse_groupreg.web.groups import Groups
from synapse_groupreg.web.importing import Importing
from synapse_groupreg.web.keeping import Keeping
from synapse_groupreg.web.listing import Listing
from synapse_groupreg.web.packing import Packing
from synapse_groupreg.web.reading import Reading
from synapse_groupreg.web.rules import render_rules
from synapse_groupreg.web.searching import Searching
from synapse_groupreg.web.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_groupreg.web.endpoint import Endpoint

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "synapse_groupreg"
PYTHON = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
PROSE = [
    *PYTHON,
    *(path for suffix in ("sql", "toml", "yaml", "j2", "css") for path in PACKAGE.rglob(f"*.{suffix}")),
    *(path for folder in ("config", "docker", "docs", ".ci") for path in (ROOT / folder).rglob("*") if path.is_file()),
    *(ROOT / name for name in ("Makefile", "pyproject.toml", "README.md")),
]
LONGEST = 350
NO_RULES = {"unavailable", "reserved-state"}
"""Codes of refusals that are no rules of the regulation: the check failed, or a client wrote what only we write."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def subclasses(kind: type) -> Iterator[type]:
    """All classes of ours below one; not the halves that attrs leaves behind until they are swept up."""
    for child in kind.__subclasses__():
        yield from subclasses(child)
        if getattr(sys.modules[child.__module__], child.__name__, None) is child:
            yield child


# Files.


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_file_is_short_and_says_whose_it_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST
    assert lines[:2] == [
        "# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors",
        "# SPDX-License-Identifier: AGPL-3.0-or-later",
    ]


def test_every_folder_of_tests_is_a_package() -> None:
    """Or two tests of the same name would hide each other."""
    folders = {path.parent for path in PYTHON if ROOT / "tests" in path.parents}
    assert all((folder / "__init__.py").exists() for folder in folders)


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "X" * 3])
def test_nothing_is_left_for_later(word: str) -> None:
    found = [name_of(path) for path in PROSE if re.search(rf"\b{word}\b", path.read_text(encoding="utf-8"))]
    assert found == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    # Debian's package of Synapse is the same on every machine.
    places = re.compile(r"(?<![\w.}])/(?:work|opt(?!/venvs/matrix-synapse)|home|root|Users)/\w")
    found = [name_of(path) for path in PROSE if places.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_migrations_are_numbered_without_gaps() -> None:
    files = sorted(path.name for path in (PACKAGE / "storage" / "schema").iterdir() if path.suffix == ".sql")
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name) for name in files)
    assert [number for number, _ in migrations()] == list(range(1, len(files) + 1))


# Layers, as far as import-linter doesn't see them.


@pytest.mark.parametrize(
    "module", ["", ".policy", ".config", ".errors", ".texts", ".storage", ".handlers.gate", ".cli", ".rig"]
)
def test_importing_the_inner_layers_and_the_cli_does_not_import_synapse(module: str) -> None:
    code = f"import sys, synapse_groupreg{module}; print('synapse' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_process_has_in_memory_the_code_of_what_it_does() -> None:
    code = (
        "import sys, synapse_groupreg.module; print(*sys.modules)\n"
        "import synapse_groupreg.clockwork; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    serving, recording = (
        {one.removeprefix("synapse_groupreg.") for one in line.split()} for line in done.stdout.splitlines()
    )
    answering = r"service|handlers\.(actions|commands)|policy\..*actions|web\.(?!front$).*"
    seldom = r"handlers\.(act_.*|following|retention\.(erasing.*|exporting))|retention\.bundle|difflib|tomllib"
    upkeep = r"clockwork|handlers\.(upkeep|retention\..*)|homeserver\.record.*"
    assert "handlers.gate" in serving
    assert {one for one in serving if re.fullmatch(f"{answering}|{seldom}|{upkeep}", one)} == set(), (
        "it serves clients alone"
    )
    assert {"handlers.upkeep", "handlers.retention.recorder"} <= recording
    assert {one for one in recording if re.fullmatch(f"{answering}|{seldom}", one)} == set(), (
        "nobody asked for anything"
    )


def test_values_share_their_methods() -> None:
    beside = [path for path in PACKAGE.rglob("*.py") if path.name != "values.py" and "attrs.frozen" in path.read_text()]
    assert beside == []


def test_policy_imports_without_anything_that_does_something() -> None:
    code = (
        "import sys, synapse_groupreg.policy\nprint({'twisted', 'sqlite3', 'psycopg2', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


TOUCHPOINTS = PACKAGE / "homeserver" / "compat.py"


@pytest.mark.parametrize("path", sorted({*PACKAGE.rglob("*.py")} - {TOUCHPOINTS}), ids=name_of)
def test_private_members_of_others_are_touched_in_one_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    touched = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and ast.unparse(node) != "os._exit"  # as public as any, for all its name
    ]
    imported = [
        f"line {node.lineno}: {node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and re.search(r"(^|\.)_[a-z]", node.module)
    ]
    assert touched + imported == []


def test_synapse_is_imported_in_four_places_only() -> None:
    allowed = {"module.py", "homeserver", "web/site.py", "storage/database.py"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(from|import) synapse[. ]", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {one for one in found if one not in allowed and one.partition("/")[0] not in allowed} == set()


# Rules and codes.


def violations() -> list[type[Violation]]:
    for module in pkgutil.iter_modules([str(PACKAGE / "policy")]):
        importlib.import_module(f"synapse_groupreg.policy.{module.name}")
    return [kind for kind in subclasses(Violation) if "code" in vars(kind)]


def test_every_rule_stands_in_a_table() -> None:
    listed = {rule for table in TABLES.values() for rule in table}
    written = {
        function
        for module in (blacklist, federation, groups, identity, mutes, quotas, roles, slow, suspensions)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == module.__name__
        and next(iter(inspect.signature(function).parameters), "") == "attempt"
    }
    assert written == listed
    for table in TABLES.values():
        assert len(set(table)) == len(table)


def test_every_code_belongs_to_a_rule_and_every_rule_to_a_code() -> None:
    assert {kind.code for kind in violations()} == set(CODES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in CODES)


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("code", [*CODES, *sorted(NO_RULES)])
def test_every_code_has_texts_and_an_anchor_on_the_rules_page_in_every_language(code: str, language: str) -> None:
    facts = {
        "used": 1,
        "limit": 1,
        "required": "contact",
        "have": "none",
        "server": "s",
        "type": "t",
        "case": 1,
        "seconds": 1,
        "wait": 1,
    }
    assert texts.refusal(code, language, info="https://example.org/#x", **facts)
    policy = load({"mode": "dry", "federation": "closed"}).model_dump(mode="json")
    page = render_rules(policy, language, "example.org").decode()
    assert f'id="{code}"' in page


def test_every_error_has_a_code_of_its_own_and_a_sentence() -> None:
    kinds = [*subclasses(errors.GroupRegError)]
    codes = [kind.code for kind in kinds if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)
    for kind in kinds:
        assert kind.__doc__ is not None
        assert re.fullmatch(r"[^\n]+\.\s*", kind.__doc__.splitlines()[0]), kind


# Actions and surfaces.

ACTIONS = sorted(subclasses(Action), key=lambda kind: kind.__name__)


def table() -> tuple[Endpoint, ...]:
    names = ("config", "database", "homeserver", "snapshot", "actions", "digest", "about", "setting")
    nothing: dict[str, Any] = dict.fromkeys(names)
    return endpoints(Services(**{**nothing, "database": SimpleNamespace(run=None)}))


def requests_of_the_cli() -> set[str]:
    """`METHOD path` of every request that a command makes to our API, with `{}` for what it fills in."""
    found = set()
    for file in (PACKAGE / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                verb = node.func.attr
                if verb == "act" and isinstance(node.args[0], ast.Constant):
                    found.add(f"{node.args[0].value} {where(node.args[1])}")
                elif verb == "ask":
                    found.add(f"POST {where(node.args[0])}")
                elif verb in ("get", "pages", "listing", "download"):
                    found.add(f"GET {where(node.args[0])}")
    return found


def where(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "path":
        return "/".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.args)
    return "?"


def test_every_action_is_carried_out() -> None:
    assert set(CARRY_OUT) == set(ACTIONS)
    assert len({kind.name for kind in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda kind: kind.__name__)
def test_every_action_is_reachable_by_rest_under_its_right(action: type[Action]) -> None:
    makers = {
        function.__qualname__
        for surface in (Acting, Importing, Listing, Exporting, Keeping, Appealing, Packing, Groups)
        for _, function in inspect.getmembers(surface, inspect.isfunction)
        if re.search(rf"actions\.{action.__name__}\(", inspect.getsource(function))
    }
    found = [endpoint for endpoint in table() if endpoint.handle.__func__.__qualname__ in makers]
    assert {endpoint.right for endpoint in found} == {action.right}


def test_every_handler_has_its_endpoint() -> None:
    served = {endpoint.handle.__func__ for endpoint in table()}
    written = {
        function
        for surface in (Reading, Acting, Importing, Listing, Searching, Exporting, Keeping, Appealing, Packing, Groups)
        for name, function in inspect.getmembers(surface, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    assert served == written


def test_commands_ask_for_every_endpoint_and_for_nothing_else() -> None:
    served = {endpoint.method + " " + re.sub(r"\{\w+\}", "{}", endpoint.path) for endpoint in table()}
    asked = {request for request in requests_of_the_cli() if "?" not in request and "/_matrix/" not in request}
    assert served <= asked
    assert {one for one in served | asked if not one.startswith("GET ")} <= served


def test_the_version_stands_in_one_place() -> None:
    stated = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert stated is not None
    assert not hasattr(synapse_groupreg, "__version__")

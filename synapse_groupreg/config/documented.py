# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The documentation of fields of a model: the docstring under each, read from the source when somebody asks.

pydantic would read them as it makes the class, in every process: for that Python remembers the source, and where all
modules lie, which takes 0.4 MiB.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings under its fields say."""
    fields = model.model_fields
    return {
        name: text
        for owner in reversed(model.__mro__)
        if owner.__module__.startswith("synapse_groupreg.")
        for name, text in _under(owner)
        if name in fields
    }


def document(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put them into the JSON schema of a model: for `json_schema_extra`."""
    shown = schema.get("properties", {})
    for name, text in meanings(model).items():
        alias = model.model_fields[name].alias or name
        if alias in shown:
            shown[alias]["description"] = text


def _under(owner: type) -> Iterator[tuple[str, str]]:
    [definition] = ast.parse(inspect.getsource(owner)).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass

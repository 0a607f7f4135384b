# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values behave as attrs would have written them."""

from __future__ import annotations

import copy
import linecache
import pickle

import attrs
import pytest
from typing_extensions import override

from synapse_groupreg.values import frozen


@frozen(kw_only=True)
class Entry:
    name: str
    secret: str = attrs.field(default="", repr=False)
    noted_ms: int = attrs.field(default=0, eq=False)


@frozen
class Other(Entry):
    """Of the same fields, and yet another thing."""


@frozen
class Named:
    name: str

    @override
    def __repr__(self) -> str:
        return self.name


ENTRY = Entry(name="one", secret="hidden", noted_ms=1)


def test_equal_values_are_one() -> None:
    assert Entry(name="one", secret="hidden", noted_ms=2) == ENTRY, "when it was noted is not compared"
    assert len({Entry(name="one", secret="hidden", noted_ms=2), ENTRY}) == 1
    assert Entry(name="one") != ENTRY
    assert attrs.evolve(ENTRY, name="two") != ENTRY
    assert Other(name="one", secret="hidden") != ENTRY, "values of another class are others"


def test_a_value_shows_its_fields_but_no_secret() -> None:
    assert repr(ENTRY) == "Entry(name='one', noted_ms=1)"
    assert repr(Named("one")) == "one", "a method of a class's own stays"


def test_a_value_stays_as_it_is_and_survives_a_journey() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ENTRY.name = "two"  # type: ignore[misc]  # which is the point
    for back in (copy.copy(ENTRY), copy.deepcopy(ENTRY), pickle.loads(pickle.dumps(ENTRY))):
        assert (back, back.noted_ms) == (ENTRY, 1)
    assert not hasattr(ENTRY, "__dict__")


def test_a_class_keeps_neither_text_nor_a_class_of_its_fields() -> None:
    assert type(attrs.fields(Entry)) is tuple
    assert [field.name for field in attrs.fields(Entry)] == ["name", "secret", "noted_ms"]
    assert not [name for name in linecache.cache if name.endswith(f"{__name__}.Entry>")]

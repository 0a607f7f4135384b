# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of very many names takes few bytes, and is what a dict would say."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.handlers.packed import Packed
from synapse_groupreg.policy.assurance import Assurance

levels = st.sampled_from(Assurance)
names = st.sampled_from([str(number) for number in range(12)])


def assurances(items: dict[str, Assurance] | None = None) -> Packed[Assurance]:
    return Packed("B", Assurance, (items or {}).items())


@given(st.lists(st.tuples(names, levels)), st.dictionaries(st.text(max_size=3) | names, levels))
def test_it_is_a_dict(writes: list[tuple[str, Assurance]], known: dict[str, Assurance]) -> None:
    packed, model = assurances(known), dict(known)
    for name, level in writes:
        packed[name] = level
        model[name] = level
    assert len(packed) == len([level for level in model.values() if level])
    for name in [*model, "nobody"]:
        assert packed[name] is model.get(name, Assurance.none)


def test_a_name_takes_nine_bytes() -> None:
    count = 20_000
    packed = Packed("B", Assurance, ((f"@user{number}:example.org", Assurance.contact) for number in range(count)))
    arrays = [*packed._hashes, *packed._numbers]
    nothing = sum(map(sys.getsizeof, [*assurances()._hashes, *assurances()._numbers]))
    assert sum(map(sys.getsizeof, arrays)) - nothing == 9 * count
    assert all(packed[f"@user{number}:example.org"] is Assurance.contact for number in range(0, count, 97))


def test_two_processes_hash_differently() -> None:
    """So that nobody can look for accounts whose hashes collide."""
    first, second = assurances({"alice": Assurance.contact}), assurances({"alice": Assurance.contact})
    assert list(first._hashes) != list(second._hashes)

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with the retention store is said at the start of each process that will use it, though parts wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.homeserver import recording
from synapse_groupreg.parts import Parts

MAIN, WORKER, BACKGROUND, ALL = (None, False), ("worker1", False), ("background1", True), (None, True)


def parts(place: tuple[str | None, bool], *, enabled: bool = True) -> Parts:
    name, background = place
    api = SimpleNamespace(worker_name=name, should_run_background_tasks=lambda: background)
    process: Any = SimpleNamespace(api=api, config=SimpleNamespace(retention=SimpleNamespace(enabled=enabled)))
    return Parts(process)


@pytest.mark.parametrize(
    ("place", "done"),
    [(MAIN, ["made"]), (BACKGROUND, ["made", "checked"]), (ALL, ["made", "checked"]), (WORKER, [])],
)
def test_who_looks_at_the_store_as_it_starts(
    place: tuple[str | None, bool], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Recording:
        def __init__(self, _process: object) -> None:
            seen.append("made")

        def check(self) -> None:
            seen.append("checked")

    monkeypatch.setattr(recording, "Recording", Recording)
    parts(place).check()
    assert seen == done
    seen.clear()
    parts(place, enabled=False).check()
    assert seen == []


@pytest.mark.parametrize("place", [MAIN, BACKGROUND, ALL])
def test_missing_keys_stop_the_start(place: tuple[str | None, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_process: object) -> None:
        raise CannotStart("retention.keys is missing")

    monkeypatch.setattr(recording, "Recording", missing)
    with pytest.raises(CannotStart, match="is missing"):
        parts(place).check()

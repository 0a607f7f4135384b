# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The preset for the provisions of 2017: complete, overridable, and explained."""

from __future__ import annotations

from importlib import resources

import pytest

from synapse_groupreg.config import load, preset_values
from synapse_groupreg.errors import BadConfig

PRESET = "groups-2017"


def test_the_operator_chooses_mode_and_federation() -> None:
    config = load({"preset": PRESET, "mode": "dry", "federation": "closed"})
    assert config.identity.required.post == "real_name"
    with pytest.raises(BadConfig, match=r"mode.*federation"):
        load({"preset": PRESET})


def test_what_only_the_operator_can_know_is_not_preset() -> None:
    assert not preset_values(PRESET).keys() & {"mode", "federation", "dry_run", "exempt", "membership_guard", "preset"}
    assert "keys_path" not in preset_values(PRESET)["identity"]


def test_what_is_written_beside_the_preset_wins() -> None:
    config = load({"preset": PRESET, "mode": "dry", "federation": "open", "quotas": {"rooms_founded": 3}})
    assert (config.quotas.rooms_founded, config.quotas.rooms_joined) == (3, 200)


def test_every_number_has_its_reason_above_it() -> None:
    text = resources.files("synapse_groupreg").joinpath("presets", f"{PRESET}.yaml").read_text(encoding="utf-8")
    above = ""
    for line in map(str.strip, text.splitlines()):
        if line[-1:].isdigit() and not line.startswith("#"):
            assert above.startswith("#"), line
        above = line

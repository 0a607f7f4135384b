# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of which settings of Synapse's own `status` warns, as Synapse itself reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from synapse.config.homeserver import HomeServerConfig

from synapse_groupreg.config import load
from synapse_groupreg.homeserver import settings

LISTENER = {"port": 1, "type": "http", "resources": [{"names": ["client"]}]}
NEEDED = {
    "server_name": "test.example.org",
    "report_stats": False,
    "signing_key": "ed25519 a_test YVJR0dYUbJVdIJKgNpkLZJWVbG4WFYuVIzqbXxOIpJ8",
    "macaroon_secret_key": "of no worth",
    "trusted_key_servers": [],
    "database": {"name": "sqlite3", "args": {"database": ":memory:"}},
    "listeners": [{**LISTENER, "x_forwarded": True}],
}


def warnings(synapse: object, **options: Any) -> list[settings.Warned]:
    """What is warned of, but for what is said of our own options."""
    api: Any = SimpleNamespace(_hs=SimpleNamespace(config=synapse))
    found = settings.warnings(api, load({"mode": "enforce", "federation": "closed", **options}), 0)
    ours = {code for code, *_ in settings._OUR_CHECKS} | {"sqlite-wal"}
    return [one for one in found if one.code not in ours]


def codes(synapse: object, **options: Any) -> set[str]:
    return {one.code for one in warnings(synapse, **options)}


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        ({}, set()),
        ({"allow_guest_access": True}, {"guests"}),
        ({"enable_registration": True, "enable_registration_without_verification": True}, {"open-registration"}),
        ({"enable_registration": True, "registration_requires_token": True}, set()),
        ({"forgotten_room_retention_period": "28d"}, {"rooms-purged"}),
        ({"forgotten_room_retention_period": "184d", "forget_rooms_on_leave": True}, set()),
        ({"forgotten_room_retention_period": 0}, set()),
        ({"listeners": [LISTENER]}, {"client-address"}),
        ({"listeners": [LISTENER, *NEEDED["listeners"]]}, set()),
        ({"redaction_retention_period": "23h"}, {"redacted-soon"}),
        ({"redaction_retention_period": 0}, {"redacted-soon"}),
        ({"redaction_retention_period": None}, set()),
        ({"user_ips_max_age": "23h"}, {"addresses-soon"}),
        ({"user_ips_max_age": None}, set()),
        ({"retention": {"enabled": True}}, {"messages-expire"}),
    ],
    ids=str,
)
def test_what_undercuts_the_rules_is_warned_of(written: dict[str, Any], warned: set[str]) -> None:
    synapse = HomeServerConfig()
    synapse.parse_config_dict({**NEEDED, **written}, "", "")
    assert codes(synapse) == warned
    assert codes(synapse, retention={"enabled": False}) == warned - {one for one, *_ in settings._RECORD_CHECKS}


def test_a_setting_that_synapse_has_no_more_is_said() -> None:
    said = warnings(SimpleNamespace(server=SimpleNamespace()))
    assert {one.code for one in said} == {"unknown-setting"}
    assert len(said) == len(settings._CHECKS + settings._RECORD_CHECKS)
    [redacted] = [one.text for one in said if "redacted-soon" in one.text]
    assert redacted.startswith("whether redacted-soon is to be warned of can't be told: ")
    assert redacted.endswith("has no attribute 'redaction_retention_period'.")

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rig's Synapse, without the module: what fails here is no fault of ours."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from synapse_groupreg.rig import Database, Homeserver, RigError
from tests.engines import any_database

pytestmark = pytest.mark.smoke


def whoami(url: str, token: str) -> str:
    """The account of an access token, as the process at `url` sees it."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{url}/_matrix/client/v3/account/whoami", headers=headers, timeout=10)
    answer.raise_for_status()
    user_id: str = answer.json()["user_id"]
    return user_id


@any_database
def test_accounts_outlive_a_stop_and_a_crash(start_homeserver: Callable[..., Homeserver], database: Database | None):
    server = start_homeserver(database=database)
    token = server.register("ann")
    server.restart()
    assert whoami(server.url, token) == server.user_id("ann") == "@ann:localhost"
    server.kill()
    assert not server.running
    server.start()
    assert whoami(server.url, token) == "@ann:localhost"


def test_a_bad_configuration_is_quoted(tmp_path: Path):
    server = Homeserver(tmp_path, settings={"server_name": "of two words"})
    with pytest.raises(RigError, match=r"(?s)ended with code 1 .*invalid format"):
        server.start()
    assert "invalid format" in server.process_log()


def test_a_taken_name_is_told(start_homeserver: Callable[..., Homeserver]):
    server = start_homeserver()
    server.register("ann")
    with pytest.raises(RigError, match=r"400.*M_USER_IN_USE"):
        server.register("ann")

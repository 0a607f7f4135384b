# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTP to servers of this machine."""

import requests

_TIMEOUT_SECONDS = 30


def request(method: str, url: str, *, json: object = None, seconds: float = _TIMEOUT_SECONDS) -> requests.Response:
    """One request that no proxy and no ~/.netrc of the environment gets to see or to change."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, json=json, timeout=seconds)

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Making accounts with the registration secret, as Synapse's own command-line tool does."""

import hashlib
import hmac

import requests

from synapse_groupreg.rig.local import request
from synapse_groupreg.rig.process import RigError


def register(url: str, secret: str, name: str, password: str, *, admin: bool = False) -> str:
    """Make the account `name`, logged in; the answer is its access token."""
    path = f"{url}/_synapse/admin/v1/register"
    nonce: str = _json(request("GET", path))["nonce"]
    role = "admin" if admin else "notadmin"
    words = f"{nonce}\0{name}\0{password}\0{role}"
    proof = hmac.new(secret.encode(), words.encode(), hashlib.sha1)
    body = {
        "nonce": nonce,
        "username": name,
        "password": password,
        "admin": admin,
        "mac": proof.hexdigest(),
    }
    return _json(request("POST", path, json=body))["access_token"]


def _json(answer: requests.Response) -> dict[str, str]:
    if not answer.ok:
        message = f"Synapse answered {answer.status_code} to a registration: {answer.text}"
        raise RigError(message)
    content: dict[str, str] = answer.json()
    return content

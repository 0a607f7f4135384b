# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key of a log, signed by the homeserver's own: what tells whose log it is."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.records import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

ENDORSEMENT_TYPE = "org.groupreg.retention.key"


def endorse(
    *, origin: str, vkey: str, valid_from_ms: int, server: str, key_id: str, sign: Callable[[bytes], bytes]
) -> dict[str, Any]:
    """The log's key, signed by the homeserver's key as Matrix signs JSON (appendix "Signing JSON").

    `key_id` is that of the homeserver's key, like `ed25519:a_AbCd`.
    """
    said = {"type": ENDORSEMENT_TYPE, "origin": origin, "vkey": vkey, "valid_from_ms": valid_from_ms}
    signature = b64encode(sign(canonical(said).encode())).rstrip(b"=").decode()
    return {**said, "signatures": {server: {key_id: signature}}}

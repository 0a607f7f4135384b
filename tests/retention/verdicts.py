# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the two verifiers say of a bundle; a test that asks fails if they don't agree."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from synapse_groupreg.cli import verify_bundle as standalone
from synapse_groupreg.retention import chunks, ed25519
from synapse_groupreg.retention.provenance import Trust
from synapse_groupreg.retention.verifier import verify_bundle

if TYPE_CHECKING:
    from synapse_groupreg.retention.findings import Report

check = lru_cache(maxsize=10_000)(ed25519.verify)
"""Most of what tests verify, they verify many times."""


def both(lines: list[bytes], *, vkey: str | None = None, server_keys: dict[str, bytes] | None = None) -> Report:
    """The report of `verify_bundle`, once the standalone verifier came to the same verdict.

    And once it came to the same report whether all lines were read together or two at a time.
    """
    report = verify_bundle(lines, check, Trust(vkey, server_keys or {}))
    with patch.object(chunks, "LINES", 2):
        again = verify_bundle(lines, check, Trust(vkey, server_keys or {}))
    assert again == report or (again.more and report.more)  # of too many, other ones may be told
    code = 0 if report.ok else 1 if report.readable else 2
    assert alone(lines, vkey, server_keys or {}) == code, report.findings
    assert report.ok or all(finding.line >= 1 and finding.text for finding in report.findings)
    return report


def alone(lines: list[bytes], vkey: str | None, server_keys: dict[str, bytes]) -> int:
    """The exit code of the standalone verifier."""
    state: dict[str, Any] = {}
    keys = {key_id: b64encode(key).decode().rstrip("=") for key_id, key in server_keys.items()}
    try:
        standalone.verify(lines, state, vkey, keys, check)
    except ValueError:
        manifest = state.get("manifest")
        return 1 if type(manifest) is dict and "bundle" in manifest else 2
    return 0


def failures(lines: list[bytes], **trust: Any) -> str:
    """All that is wrong, a line each; nothing if the bundle verifies."""
    return "\n".join(map(str, both(lines, **trust).findings))

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse's own settings that undercut the rules, for `status`: each with what it does and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.config.retention import DAY_MS, KEEP_FLOOR_MS
from synapse_groupreg.homeserver import compat
from synapse_groupreg.storage.store_sqlite_files import sqlite_warning
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse.module_api import ModuleApi

    from synapse_groupreg.config import GroupRegConfig


@frozen
class Warned:
    """One thing to know."""

    code: str
    text: str


def warnings(api: ModuleApi, config: GroupRegConfig, now_ms: int) -> list[Warned]:
    """What an operator should know; also if this Synapse has a setting no more that would be looked at."""
    synapse = compat.synapse_settings(api)
    checks = _CHECKS + (_RECORD_CHECKS if config.retention.enabled else ())
    return (
        [found for check in checks if (found := _looked_at(synapse, *check)) is not None]
        + [Warned(code, text) for code, applies, text in _OUR_CHECKS if applies(config)]
        + _of_store(config, now_ms)
    )


def _of_store(config: GroupRegConfig, now_ms: int) -> list[Warned]:
    """What the linked SQLite does to the retention store, and what the configuration asked for until a day."""
    retention, found = config.retention, []
    text = sqlite_warning() if retention.enabled and retention.store.name == "sqlite3" else None
    if text is not None:
        found.append(Warned("sqlite-wal", text))
    if retention.content == "full" and retention.full_until_ms is not None and now_ms >= retention.full_until_ms:
        over = "the last day of retention.full_content.until is over: contents are recorded as digests since."
        found.append(Warned("content-full-over", over))
    return found


def _looked_at(synapse: Any, code: str, test: Callable[[Any], object], text: str) -> Warned | None:
    try:
        return Warned(code, text) if test(synapse) else None
    except AttributeError as error:
        return Warned("unknown-setting", f"whether {code} is to be warned of can't be told: {error}.")


def _less(period_ms: int | None, than_ms: int) -> bool:
    return period_ms is not None and period_ms < than_ms


_CHECKS: tuple[tuple[str, Callable[[Any], object], str], ...] = (
    (
        "guests",
        lambda synapse: synapse.registration.allow_guest_access,
        "allow_guest_access lets people without an account read and join: set it to false.",
    ),
    (
        "open-registration",
        lambda synapse: (
            synapse.registration.enable_registration and synapse.registration.enable_registration_without_verification
        ),
        (
            "enable_registration_without_verification lets anybody make accounts, each with limits of its own until it"
            " is linked to a person: require a token or a verified e-mail address."
        ),
    ),
    (
        "rooms-purged",
        # Zero is never, as Synapse reads it.
        lambda synapse: _less(synapse.server.forgotten_room_retention_period or None, KEEP_FLOOR_MS),
        (
            "forgotten_room_retention_period purges rooms that everybody here has left and forgotten, with"
            " forget_rooms_on_leave all that everybody has left: only records tell of them then, and a founder's place"
            " is freed. Remove it, or set it to 184d or more."
        ),
    ),
    (
        "client-address",
        lambda synapse: (
            not any(
                listener.http_options and listener.http_options.x_forwarded for listener in synapse.server.listeners
            )
        ),
        "no listener has x_forwarded: set it if there is a reverse proxy, or every request seems to come from it.",
    ),
)
_RECORD_CHECKS: tuple[tuple[str, Callable[[Any], object], str], ...] = (
    (
        "redacted-soon",
        lambda synapse: _less(synapse.server.redaction_retention_period, DAY_MS),
        (
            "redaction_retention_period is less than a day: should the recorder stand still for longer, the digests of"
            " messages that were taken back meanwhile can't be recorded. Set it to 7d."
        ),
    ),
    (
        "addresses-soon",
        lambda synapse: _less(synapse.server.user_ips_max_age, DAY_MS),
        (
            "user_ips_max_age is less than a day: the retention store keeps the addresses of logins, and nobody those"
            " of sessions. Set it to 28d or more."
        ),
    ),
    (
        "messages-expire",
        lambda synapse: synapse.retention.retention_enabled,
        (
            "retention (Synapse's own) removes old messages, once they are recorded: of what was written there are"
            " digests then, unless retention.content (ours) is full. Let it keep them for 184d or more."
        ),
    ),
)
_OUR_CHECKS: tuple[tuple[str, Callable[[GroupRegConfig], bool], str], ...] = (
    (
        "dry-rules",
        lambda config: bool(config.dry_run),
        "dry_run keeps some rules from refusing anything: remove their codes to enforce them.",
    ),
    (
        "federation-open",
        lambda config: config.federation == "open",
        (
            "federation is open: caps hold for joins through this server; joins through others can't be prevented, and"
            " whoever is too many is removed afterwards."
        ),
    ),
    (
        "nothing-required",
        lambda config: config.identity.required.post == "none",
        "identity.required.post is none: accounts may publish unverified.",
    ),
    (
        "second-staff-off",
        lambda config: config.second_staff == "none",
        (
            "second_staff is none: one member of staff alone may bar any number of accounts, act on staff, skip steps,"
            " and decide appeals against their own measures."
        ),
    ),
    (
        "unanchored",
        lambda config: config.retention.enabled and not config.retention.anchors,
        (
            "retention.anchors is empty: checkpoints lie nowhere out of your own reach, so groupreg verify says"
            " UNANCHORED, and others have to trust that nothing was rewritten. Name a room or a file on another host."
        ),
    ),
    (
        "nothing-recorded",
        lambda config: config.preset is not None and not config.retention.enabled,
        "retention.enabled is false: the preset's regulation asks for records that are kept for six months.",
    ),
    (
        "guard-gaps",
        lambda config: config.membership_guard == "request",
        (
            "membership_guard: request judges from the request; the text that a person may put into the reason of"
            " their own leave is not seen."
        ),
    ),
)

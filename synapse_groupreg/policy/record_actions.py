# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff does to what was recorded: holds, removals, erasures, keys, exports (articles 13.1, 13.2, 6.3)."""

from __future__ import annotations

from typing import ClassVar, Literal

from synapse_groupreg.policy.actions import Action
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.values import frozen

LONGEST_HOLD_MS = 1_096 * 86_400_000
"""Three years: whoever needs longer looks again, and extends it."""


@frozen(kw_only=True)
class HoldRecords(Action):
    """Keep the records of a time beyond the end of their keeping."""

    name: ClassVar[str] = "hold"
    right: ClassVar[Right] = Right.keep_records
    log: str
    from_ms: int
    to_ms: int
    until_ms: int
    basis: str
    """The legal basis."""


@frozen(kw_only=True)
class ExtendHold(Action):
    """Let a hold end at another time."""

    name: ClassVar[str] = "extend-hold"
    right: ClassVar[Right] = Right.keep_records
    reason: str
    hold_id: int
    until_ms: int


@frozen(kw_only=True)
class LiftHold(Action):
    """End a hold."""

    name: ClassVar[str] = "lift-hold"
    right: ClassVar[Right] = Right.keep_records
    reason: str
    hold_id: int


@frozen(kw_only=True)
class PurgeDue(Action):
    """Remove at once all periods that are due."""

    name: ClassVar[str] = "purge-due"
    right: ClassVar[Right] = Right.keep_records
    due: tuple[str, ...]
    """Those that a look at the store found, like `events 2026-05`."""


@frozen(kw_only=True)
class RotateKeys(Action):
    """Renew the key that wraps the store's data keys and, with `signing`, the one that signs its checkpoints."""

    name: ClassVar[str] = "rotate-keys"
    right: ClassVar[Right] = Right.keep_records
    signing: bool = False


@frozen(kw_only=True)
class BeginShard(Action):
    """Let a log whose end was lost go on in a new shard, which names what was lost."""

    name: ClassVar[str] = "epoch"
    right: ClassVar[Right] = Right.keep_records
    log: str


@frozen(kw_only=True)
class EraseRecords(Action):
    """Erase what the retention store says of an account, as soon as no duty to keep it runs."""

    name: ClassVar[str] = "erase-records"
    right: ClassVar[Right] = Right.erase_records
    user_id: str
    duty_ended: str | None = None
    """Why the duty to keep the records is over before `keep` is: a second member of staff has to agree."""


@frozen(kw_only=True)
class Export(Action):
    """Take records out of a log, as bundles that anybody verifies: a room's or account's, a range, or a selection."""

    name: ClassVar[str] = "export"
    right: ClassVar[Right] = Right.export_records
    log: Literal["events", "acts"]
    mode: Literal["subject", "range", "filter"]
    case: str
    basis: str
    """The legal basis."""
    identities: bool = False
    """Whether names, addresses and the like are shown of everybody; else of nobody but whom the export names."""
    content: bool = False
    """Whether the contents of events are shown, where they are kept."""
    room_id: str | None = None
    user_id: str | None = None
    first: int | None = None
    """Of a range, the first index."""
    end: int | None = None
    """And the one after the last."""
    from_ms: int | None = None
    """Times are inclusive. A subject is shown in whole periods, a range between the first and last record of them."""
    to_ms: int | None = None
    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()

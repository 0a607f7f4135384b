# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator says of the retention store."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from synapse_groupreg.config.types import Duration, Section

Content = Literal["none", "hash", "full"]
DAY_MS = 86_400_000
KEEP_FLOOR_MS = 184 * DAY_MS
"""Any six calendar months in a row (article 13.2)."""


ROOM_ID = r"^![^\s]+$"


def _above_floor(value: int) -> int:
    if value < KEEP_FLOOR_MS:
        raise ValueError("must be at least 184d, which covers any six calendar months (article 13.2)")
    return value


_Keep = Annotated[Duration, AfterValidator(_above_floor)]


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a day like '2027-06-30'") from None
    return value


class StoreConfig(Section):
    """Where records are kept, written as Synapse's own `database`. Never Synapse's database itself."""

    name: Literal["sqlite3", "psycopg2"] = "sqlite3"
    """`sqlite3`: a file for each month, for a homeserver of one machine; `psycopg2`: PostgreSQL, for any."""
    args: dict[str, Any] | None = None
    """`database: FOLDER` for sqlite3 (default: `retention` beside the keys); host, dbname, user… for psycopg2."""

    @model_validator(mode="after")
    def _complete(self) -> StoreConfig:
        if self.name == "psycopg2" and not (self.args or {}).get("dbname"):
            raise ValueError("args.dbname must name the PostgreSQL database of the retention store")
        return self


class AnchorConfig(Section):
    """A place out of the operator's own reach where checkpoints are published; one of the two."""

    room: Annotated[str, Field(pattern=ROOM_ID)] | None = None
    """A room whose members get them; the account of `notices` must be in it, or invited."""
    file: str | None = None
    """A file to which they are added, on another host's disk if it is to prove anything."""

    @model_validator(mode="after")
    def _one(self) -> AnchorConfig:
        if (self.room is None) == (self.file is None):
            raise ValueError("must name either a room or a file")
        return self


class ContentConfig(Section):
    """Why and until when `content: full` is lawful here; shown on the public rules page."""

    basis: Annotated[str, Field(min_length=10)]
    """The legal basis, in words that the people concerned understand."""
    until: Annotated[str, AfterValidator(_day)]
    """The last day on which contents are recorded, like 2027-06-30."""


class RetentionConfig(Section):
    """The retention store: what happened, once, provably, for as long as it has to be kept (article 13)."""

    enabled: bool = True
    """Whether anything is recorded."""
    store: StoreConfig = StoreConfig()
    """Where records are kept."""
    keys_path: str | None = None
    """Folder of the keys that encrypt and sign records; default: that of `identity.keys_path`."""
    keep: _Keep = KEEP_FLOOR_MS
    """How long records of what people did are kept, at least 184d: any six calendar months."""
    keep_acts: _Keep = 1_096 * DAY_MS
    """How long records of acts on people and personal data are kept, at least 184d."""
    keep_at_most: _Keep = 400 * DAY_MS
    """After how long records of what people did are removed even while recording is switched off."""
    start: Literal["now", "beginning"] = "now"
    """What of the time before the first start is recorded: nothing, or all that Synapse still has."""
    content: Content = "hash"
    """What is kept of an event's content: nothing, a digest that proves it to who has it, or the content."""
    full_content: ContentConfig | None = None
    """Required for `content: full`."""
    anchors: tuple[AnchorConfig, ...] = ()
    """Where checkpoints are published. Without one out of your own reach, nobody else can tell what you rewrite."""

    @property
    def full_until_ms(self) -> int | None:
        """When contents are no longer recorded: the end of that day, in UTC."""
        if self.full_content is None:
            return None
        after = date.fromisoformat(self.full_content.until) + timedelta(days=1)
        return int(datetime.combine(after, time(), UTC).timestamp() * 1000)

    @model_validator(mode="after")
    def _consistent(self) -> RetentionConfig:
        if self.content == "full" and self.full_content is None:
            raise ValueError("content: full needs full_content, with the legal basis and an end")
        if self.keep_at_most < self.keep:
            raise ValueError("keep_at_most must not be less than keep")
        return self

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every sentence that a person reads, by key and language. The sentences stand in the TOML files beside this one.

A key is the path in the file, joined by dots: `code.room-full.title`. All files have the same keys with the same
placeholders, which a test holds.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LANGUAGES: tuple[str, ...] = ("en", "zh-CN", "ko")
"""What the texts exist in, by BCP 47 tags as they stand in `lang` attributes."""

# Traditional Chinese (zh-TW, zh-HK, zh-Hant) falls under zh-CN: another script, but the same written language, which
# its readers read far better than a default that they may not know at all.
_NEAREST = {"en": "en", "zh": "zh-CN", "cmn": "zh-CN", "ko": "ko"}
_LONGEST_WISH = 1000
"""Characters of an Accept-Language header that are looked at; a browser's has fewer than 100."""
_LAST_MS = 253_402_300_799_000
"""The end of the year 9999, beyond which Python has no dates."""
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def best_language(wanted: str | None, default: str) -> str:
    """The language nearest to an Accept-Language header or a pusher's `lang`; the default if none of ours is near."""
    best, weight = default, 0.0
    for tag, quality in _wishes((wanted or "")[:_LONGEST_WISH]):
        language = _NEAREST.get(tag.partition("-")[0])
        if language is not None and quality > weight:
            best, weight = language, quality
    return best


def text(key: str, language: str, **facts: object) -> str:
    """The sentence of this key with its facts. A key or a fact that is missing is a mistake of the caller: KeyError."""
    # One pass over the template: braces in a value, such as a reason written by staff, are never looked at.
    return _PLACEHOLDER.sub(lambda found: str(facts[found[1]]), _load(language)[key])


def sentences(key: str, language: str, **facts: object) -> tuple[str, ...]:
    """The sentences of a list."""
    count = int(_load(language)[f"{key}.length"])
    return tuple(text(f"{key}.{index}", language, **facts) for index in range(count))


def codes() -> tuple[str, ...]:
    """The refusal codes that have texts, in the order of the rules page."""
    titles = (re.fullmatch(r"code\.(.+)\.title", key) for key in _load(LANGUAGES[0]))
    return tuple(found[1] for found in titles if found)


def one_line(said: str) -> str:
    """What somebody wrote, to be quoted within a sentence."""
    return " ".join(said.split())


def given_reason(reason: str, language: str) -> str:
    """A reason that somebody gave in their own words, within a text of ours."""
    return text("refusal.given-reason", language, given_reason=one_line(reason))


def moment(ms: int, language: str) -> str:
    """A date with its time in UTC, to the minute; the zone of who reads it is not known here."""
    when = dt.datetime.fromtimestamp(min(ms, _LAST_MS) / 1000, tz=dt.UTC)
    month = sentences("format.months", language)[when.month - 1]
    return text("format.datetime", language, year=when.year, month=month, day=when.day, time=f"{when:%H:%M}")


def size_tier(language: str, *, number: int, of: int, least: int, most: int | None) -> dict[str, str]:
    """The `tier` of a group by its size, and of how many `members` that is."""
    kind = "over" if most is None else "upto" if not least else "exactly" if least == most else "between"
    members = text(f"group.size.{kind}", language, least=f"{least:,}", most=f"{most or 0:,}")
    return {"tier": text("group.size.tier", language, number=number, of=of), "members": members}


def refusal(code: str, language: str, *, info: str, **facts: object) -> str:
    """The text of a refusal: why, for what reason and until when if that is known, what helps, and the link `info`.

    Facts are those of the violation. `attempt` (its name) and `scope` choose a closer sentence where one exists.
    """
    words = facts | {key: text(f"assurance.{facts[key]}", language) for key in ("required", "have") if key in facts}
    parts = [text(_nearest(f"refusal.{code}.why", language, facts), language, **words)]
    if "reason" in facts:
        parts.append(text("refusal.reason", language, **facts))
    if facts.get("given_reason"):
        parts.append(given_reason(str(facts["given_reason"]), language))
    until_ms = facts.get("until_ms")
    if isinstance(until_ms, int):
        parts.append(text("refusal.until", language, until=moment(until_ms, language)))
    parts.append(text(_nearest(f"refusal.{code}.help", language, facts), language, **words))
    parts.append(text("refusal.more", language, info=info))
    return text("format.gap", language).join(parts)


def news(news: str, kind: str, language: str, *, room: str | None, info: str, **facts: Any) -> str:
    """What those concerned by a measure are told: that it was imposed, changed or lifted, or that its end came."""
    place = "in-room" if room else "everywhere" if facts["everywhere"] and facts["on"] == "account" else "somewhere"
    where = text(f"measure.where.{place}", language, room=room)
    what = text(f"measure.name.{kind}", language)
    if news in ("lifted", "ended"):
        why = facts.get("lift_reason")
        said = [text(f"measure.{news}", language, what=what, where=where, case=facts["case"])]
        said += [text("measure.why-lifted", language, lift_reason=why)] if why else []
        return "\n\n".join(said)
    whom = facts["scope"] if kind == "blacklisted" and facts["on"] == "account" else facts["on"]
    said = [text("measure.changed", language)] if news == "changed" else []
    said += [text(f"measure.imposed.{kind}.{whom}", language, where=where)]
    said += [text("refusal.reason", language, **facts), text("measure.basis", language, basis=facts["basis"])]
    accepted = facts.get("accepted")
    if accepted is not None:
        key = "measure.accepted" if accepted else "measure.accepted-none"
        said.append(text(key, language, accepted=", ".join(accepted)))
    times = (("refusal.until", "until", facts["until_ms"]), ("measure.deadline", "deadline", facts["deadline_ms"]))
    said += [text(key, language, **{name: moment(ms, language)}) for key, name, ms in times if ms is not None]
    return "\n\n".join([text("format.gap", language).join(said), text("refusal.more", language, info=info)])


def _nearest(key: str, language: str, facts: Mapping[str, object]) -> str:
    """The key itself, or that of its variant which the facts name first; `otherwise` if they name none."""
    table = _load(language)
    if key in table:
        return key
    named = [
        "invitee" if facts.get("invitee") else "",
        *(facts.get(fact, "") for fact in ("attempt", "scope", "required")),
    ]
    variants = (f"{key}.{word}" for word in named)
    return next((variant for variant in variants if variant in table), f"{key}.otherwise")


def _wishes(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        tag, *parameters = part.replace("_", "-").lower().split(";")
        yield tag.strip(), _quality(parameters)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0


@functools.cache
def _load(language: str) -> dict[str, str]:
    if language not in LANGUAGES:
        raise KeyError(language)
    import tomllib  # noqa: PLC0415 - many processes never say anything

    content = resources.files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat("", tomllib.loads(content)))


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
        return
    branches = value if isinstance(value, dict) else dict(enumerate(value))
    if isinstance(value, list):
        yield f"{path}.length", str(len(value))
    for name, branch in branches.items():
        yield from _flat(f"{path}.{name}" if path else str(name), branch)

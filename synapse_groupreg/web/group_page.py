# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of a group (article 8.3): what it is, who answers for it, how it stands, how to report it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import attrs

from synapse_groupreg import texts
from synapse_groupreg.policy.numbers import alias
from synapse_groupreg.values import frozen
from synapse_groupreg.web import pages

if TYPE_CHECKING:
    from synapse_groupreg.handlers.group_pages import Group, Standing

HEADERS = {"Cache-Control": "public, max-age=5"}
"""For a page that everybody may see; one behind a link is kept nowhere."""


@frozen
class Line:
    """What is said of one measure."""

    what: str
    when: str


def render_group(
    group: Group, language: str, server_name: str, *, contact: str | None = None, key: str | None = None
) -> bytes:
    """The page in one of `texts.LANGUAGES`. `key` is that of the link by which it was opened."""
    return pages.render(
        "group.html.j2",
        language,
        contact=contact,
        query="&" + urlencode({"key": key}) if key else "",
        server=server_name,
        group=group,
        name=group.name or texts.text("group.unnamed", language),
        size=None if group.size is None else texts.size_tier(language, **attrs.asdict(group.size)),
        alias=alias(group.number, server_name) if group.public else None,
        number=" ".join(group.number[at : at + 3] for at in range(0, len(group.number), 3)),
        standing=[_line(one, language) for one in group.standing],
    )


def render_missing(language: str, server_name: str, *, contact: str | None = None) -> bytes:
    """What is shown where there is nothing, or nothing for whoever asks: the same for both."""
    return pages.render("missing.html.j2", language, contact=contact, server=server_name)


def _line(standing: Standing, language: str) -> Line:
    since = texts.moment(standing.since_ms, language)
    if standing.until_ms is None:
        when = texts.text("group.standing.since", language, since=since)
    else:
        until = texts.moment(standing.until_ms, language)
        when = texts.text("group.standing.between", language, since=since, until=until)
    return Line(standing.text(language), when)

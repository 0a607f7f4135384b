# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The public page of the rules (article 5.5): what holds now, what a refusal means, what helps, how to appeal.

A pure function of the live policy. It tells how to complain, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg import texts
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.commands import write
from synapse_groupreg.values import frozen
from synapse_groupreg.web import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS = ("limits", "identity", "verify", "people", "federation", "refusals", "appeal", "records", "complaint")
"""The page's parts, by their anchors."""
_CODE_LIMITS = {"room-full": "members_per_room", "too-many-founded": "rooms_founded", "too-many-joined": "rooms_joined"}
_DAY_MS = 86_400_000


@frozen
class Need:
    """A line of the table: to do this, that assurance is needed."""

    what: str
    assurance: str


def render_rules(policy: Mapping[str, Any], language: str, server_name: str, *, contact: str | None = None) -> bytes:
    """The page in one of `texts.LANGUAGES`, from what `GET policy` answers.

    `contact` is where somebody can appeal who can't log in any more: a mailto: or https: address, shown as a link.
    """
    needs, identity = _needs(policy, language), policy["identity"]
    return pages.render(
        "rules.html.j2",
        language,
        contact=contact,
        server=server_name,
        sections=SECTIONS,
        dry=policy["mode"] == "dry",
        dry_codes=[code for code in texts.codes() if code in policy["dry_run"]],
        limits={name: _limit(policy["quotas"][name], language) for name in _CODE_LIMITS.values()},
        needs=needs,
        any_need=any(need.assurance != _free(language) for need in needs),
        assurances={level.name: _assurance(level, language) for level in Assurance},
        manager_level=policy["roles"]["manager_power_level"],
        exempt=bool(policy["exempt"]),
        federation=policy["federation"],
        remote_senders=identity["remote_senders"] if identity["required"]["post"] != "none" else None,
        codes=texts.codes(),
        code_limits=_CODE_LIMITS,
        appeal=_appeal(policy, language, server_name),
        records=_records(policy.get("retention"), language),
        preset=policy.get("preset"),
    )


def _appeal(policy: Mapping[str, Any], language: str, server_name: str) -> list[str]:
    """How to appeal from a chat, and who decides, as far as that holds here."""
    notices, said = policy["notices"], []
    if notices["enabled"]:
        account = f"@{notices['account']}:{server_name}"
        said = [texts.text("page.appeal.command", language, command=write("appeal"), account=account)]
    return [*said, texts.text("page.appeal.another", language)] if policy["second_staff"] == "required" else said


def _records(retention: Mapping[str, Any] | None, language: str) -> list[str]:
    """What is kept of people here, for how long, and how they see it (articles 6.3, 13.2)."""
    if not retention or not retention["enabled"]:
        return [texts.text("page.records.off", language)]
    full = retention["full_content"] if retention["content"] == "full" else {}
    return [
        texts.text("page.records.kept", language, days=f"{retention['keep'] // _DAY_MS:,}"),
        texts.text(f"page.records.{retention['content']}", language, **full),
        texts.text("page.records.own", language, command="groupreg my-records"),
    ]


def _needs(policy: Mapping[str, Any], language: str) -> list[Need]:
    required = policy["identity"]["required"]
    post, join = Assurance[required["post"]], Assurance[required["join"]]
    # As the rule has it: who founds a group also posts in it and joins it.
    found = max(Assurance[required["found"]], post, join)
    fixed = (("read", Assurance.none), ("post", post), ("found", found), ("join", join))
    needs = [_need(f"page.identity.{what}", level, language) for what, level in fixed]
    return needs + _needs_by_size(required["members_over"], post, join, language)


def _needs_by_size(tiers: Mapping[Any, str], post: Assurance, join: Assurance, language: str) -> list[Need]:
    """Lines for the tiers that ask for more than posting, joining and the smaller tiers already do."""
    needs, asked = [], Assurance.none
    # JSON has no numbers as keys, so the policy may carry them as words.
    for members, level in sorted((int(members), Assurance[name]) for members, name in tiers.items()):
        acts = [act for act, below in (("join", join), ("post", post)) if level > max(below, asked)]
        if acts:
            key = f"page.identity.{'_and_'.join(acts)}_over"
            needs.append(_need(key, level, language, members=f"{members:,}"))
        asked = max(asked, level)
    return needs


def _need(key: str, level: Assurance, language: str, **facts: object) -> Need:
    words = _free(language) if level is Assurance.none else _assurance(level, language)
    return Need(texts.text(key, language, **facts), words)


def _free(language: str) -> str:
    return texts.text("page.identity.free", language)


def _assurance(level: Assurance, language: str) -> str:
    return texts.text(f"assurance.{level.name}", language)


def _limit(value: int | None, language: str) -> str:
    return texts.text("page.none", language) if value is None else f"{value:,}"

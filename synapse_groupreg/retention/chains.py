# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""That nothing of a room or account is missing from a bundle about it.

In each period the subject has a token of its own. Each of its records names the one before, so none can be left out
between the first and the last; and how many there are, and which is the last, the period's close record commits to for
every token. In the period that is still open, a tally record says the same as of its own place in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from synapse_groupreg.retention.findings import Coverage, Finding
from synapse_groupreg.retention.provenance import hashes, is_number, texts
from synapse_groupreg.retention.records import Kind, unb64
from synapse_groupreg.retention.scope import MADE, PLACES, close_facts
from synapse_groupreg.retention.shown import Wanted
from synapse_groupreg.retention.tally import tally_leaf
from synapse_groupreg.retention.tree import TreeError, multiproof_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.retention.findings import Findings
    from synapse_groupreg.retention.shown import Shown


@attrs.define
class Chain:
    """The records of one token so far."""

    token: str
    first: int
    last: int
    count: int = 0
    names: set[str] = attrs.field(factory=set)
    """As whom disclosures show the token; of more than two only some."""
    broken: Finding | None = None
    """Where a record before is missing."""
    stranger: Finding | None = None
    """The first record that nothing but the token could show to be about the subject."""
    until: int | None = None
    by: Literal["close", "tally"] = "tally"
    period: tuple[int, int] | None = None


class SubjectScope:
    """Every record is about the subject, and of each of its tokens none is missing up to a place that is said."""

    def __init__(self, claimed: Mapping[str, str], findings: Findings) -> None:
        self._kind, self._name = claimed["kind"], claimed["name"]
        _, self._place, self._prev = next(one for one in PLACES if one[0] == self._kind)
        self._field = "room_id" if self._kind == "room" else "sender"
        fields = (self._field, "target") if self._kind == "account" else (self._field,)
        self.wanted = Wanted(("k", self._place, self._prev, "facts"), fields)
        self._findings = findings
        self._chains: dict[str, Chain] = {}
        self._counted: list[tuple[int, int, str]] = []
        """Line, index and token of each tally and of each close with a tally."""

    def add(self, shown: Shown) -> None:
        """Look at a record."""
        header = shown.header
        if not header:
            return
        if header["k"] == Kind.tally:
            self._tally(shown, header.get("facts"))
        elif header["k"] == Kind.close:
            self._close(shown, header.get("facts"))
        elif shown.tallied is not None:
            self._findings.add(shown.line, f"record {shown.index}: `t` belongs to a close record")
        if self._place in header:
            self._link(shown)
        elif header["k"] not in MADE and not self._is_target(shown):
            self._findings.add(shown.line, f"record {shown.index}: nothing shows that it is about {self._name}")

    def _is_target(self, shown: Shown) -> bool:
        return self._kind == "account" and shown.values.get("target") == self._name

    def _link(self, shown: Shown) -> None:
        token, before = shown.header[self._place], shown.header[self._prev]
        chain = self._chains.get(token)
        if chain is None:
            chain = self._chains[token] = Chain(token, shown.index, shown.index)
            right = before is None
        else:
            right = before == chain.last
        if not right and not chain.broken:
            named = f"record {before}" if before is not None else "none"
            text = f"record {shown.index} names {named} as the one before of the same {self._place}: that is not shown"
            chain.broken = Finding(shown.line, text)
        chain.count += 1
        chain.last = shown.index
        name = shown.values.get(self._field)
        if name is not None and len(chain.names) < 2:  # noqa: PLR2004 - a second one is wrong already
            chain.names.add(name)
        if not chain.stranger and not self._is_target(shown):
            chain.stranger = Finding(shown.line, f"record {shown.index}: nothing shows that it is about {self._name}")

    def _tally(self, shown: Shown, facts: Any) -> None:
        """A tally record, made for an export: it counts the records of a token before itself."""
        if (
            not isinstance(facts, dict)
            or facts.keys() != {"token", "kind", "count", "last"}
            or not isinstance(facts["token"], str)
        ):
            self._findings.add(shown.line, f"record {shown.index}: the tally record's facts are not possible")
            return
        if self._counts(shown, [facts["token"], facts["kind"], facts["count"], facts["last"]], "the tally record"):
            chain = self._chains[facts["token"]]
            chain.until = shown.index

    def _close(self, shown: Shown, facts: Any) -> None:
        """A close record, with the proof that its tally has a token of the subject."""
        if not close_facts(facts, shown.index):
            self._findings.add(shown.line, f"record {shown.index}: the close record's facts are not possible")
            return
        if shown.tallied is None:
            return
        wrong = _attached(shown.tallied, facts)
        if wrong:
            self._findings.add(shown.line, f"record {shown.index}: {wrong}")
            return
        entry = shown.tallied["entry"]
        if not self._counts(shown, entry, "the close record's tally"):
            return
        chain = self._chains[entry[0]]
        if chain.first < facts["first"]:
            text = f"record {shown.index} closes another period than that of record {chain.first}, which it tallies"
            self._findings.add(shown.line, text)
            return
        chain.until, chain.by, chain.period = shown.index, "close", (facts["first"], shown.index)

    def _counts(self, shown: Shown, entry: Sequence[Any], who: str) -> bool:
        """Whether what is shown of a token so far is what somebody counted."""
        token, kind, count, last = entry
        chain = self._chains.get(token)
        wrong = None
        if chain is None or kind != self._kind:
            wrong = f"{who} is for a token of which the bundle shows no record as that of the {self._kind}"
        elif not (is_number(count) and count == chain.count):
            wrong = f"{who} counts {_brief(count)} records of the token, and the bundle shows {chain.count}"
        elif not (is_number(last) and last == chain.last):
            wrong = f"{who} has {_brief(last)} as the token's last record, and the bundle shows {chain.last}"
        if wrong:
            self._findings.add(shown.line, f"record {shown.index}: {wrong}")
            return False
        self._counted.append((shown.line, shown.index, token))
        return True

    def finish(self, line: int) -> Sequence[Coverage]:
        """Say how far the records of each token of the subject are all there."""
        ours = [chain for chain in self._chains.values() if self._name in chain.names]
        for chain in self._chains.values():
            for finding in self._wrong(chain):
                self._findings.add(finding.line, finding.text)
        shown = {chain.token for chain in ours}
        for at, index, token in self._counted:
            if token not in shown:
                self._findings.add(
                    at, f"record {index} counts records of a token that is not shown to be the subject's"
                )
        if not ours:
            self._findings.add(line, f"no record shows, by a disclosure of {self._field}, that it is of {self._name}")
        return [_coverage(chain) for chain in sorted(ours, key=lambda chain: chain.first)]

    def _wrong(self, chain: Chain) -> list[Finding]:
        if self._name not in chain.names:
            return [chain.stranger] if chain.stranger else []
        if len(chain.names) > 1:
            at = chain.stranger.line if chain.stranger else 1
            return [Finding(at, f"the token of record {chain.first} is shown to be that of two different names")]
        return [chain.broken] if chain.broken else []


def _attached(tallied: Any, facts: Mapping[str, Any]) -> str | None:
    """What is wrong with a close record's attachment."""
    if not _is_attachment(tallied):
        return "the attachment `t` has not the right form"
    entry = tallied["entry"]
    if tallied["size"] != facts["tokens"]:
        return f"the attachment's size is not the number of the period's tokens, {facts['tokens']}"
    try:
        leaf = tally_leaf(*entry)
        found = multiproof_root([(tallied["index"], leaf)], tallied["size"], hashes(tallied["proof"]))
    except (ValueError, TreeError) as error:
        return f"the attachment's proof is not one for its entry: {error}"
    return None if found == unb64(facts["tally"]) else "the close record does not commit to the attachment's entry"


def _is_attachment(tallied: Any) -> bool:
    if not isinstance(tallied, dict) or tallied.keys() != {"entry", "index", "size", "proof"}:
        return False
    entry = tallied["entry"]
    return (
        isinstance(entry, list)
        and len(entry) == 4  # noqa: PLR2004 - token, kind, count, last
        and isinstance(entry[0], str)
        and isinstance(entry[1], str)
        and all(map(is_number, (*entry[2:], tallied["index"], tallied["size"])))
        and texts(tallied["proof"])
    )


def _coverage(chain: Chain) -> Coverage:
    known = chain.until is not None
    return Coverage(
        token=chain.token,
        records=chain.count,
        first=chain.first,
        until=chain.until if chain.until is not None else chain.last,
        by=chain.by if known else "chain",
        period=chain.period,
    )


def _brief(value: object) -> str:
    return str(value)[:20]

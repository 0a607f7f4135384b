# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse's metrics say about the module, scraped from a real server; the dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.process import free_port

from .client import Person, Staff, exported, poll, refused

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "config" / "grafana-dashboard.json"
LISTENER = free_port()
Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(
        module_config={"mode": "enforce", "federation": "closed", "quotas": {"members_per_room": 1}},
        settings={"enable_metrics": True},
        further_listeners=[{"port": LISTENER, "type": "metrics", "bind_addresses": ["127.0.0.1"]}],
    )


def families() -> list[Metric]:
    """What Prometheus would fetch."""
    return list(text_string_to_metric_families(exported(LISTENER)))


def scrape() -> dict[Sample, float]:
    """Every sample, by name and labels but `server_name`, which all of ours and of Synapse's have."""
    found = {}
    for sample in (sample for family in families() for sample in family.samples):
        labels = {name: value for name, value in sample.labels.items() if name != "server_name"}
        found[sample.name, frozenset(labels.items())] = sample.value
    return found


def read(name: str, **labels: str) -> float:
    """One sample; 0 if there is none yet, as Prometheus' `rate` would have it."""
    return scrape().get((name, frozenset(labels.items())), 0)


def decisions(outcome: str) -> float:
    return read("synapse_groupreg_decisions_total", code="room-full", attempt="join", outcome=outcome)


def test_a_refusal_is_counted_by_its_code(server: Homeserver):
    room = Person(server, "founder").found_group()
    before = decisions("refused")
    refused(Person(server, "late").join(room), "room-full")
    assert decisions("refused") == before + 1


def test_what_a_dry_run_lets_through_is_counted_apart(server: Homeserver, staff: Staff):
    room = Person(server, "founder").found_group()
    refused_before, dry_before = decisions("refused"), decisions("dry")
    with staff.dry():
        assert read("synapse_groupreg_enforcing") == 0
        Person(server, "late").join(room).good()
    assert (decisions("refused"), decisions("dry")) == (refused_before, dry_before + 1)
    assert read("synapse_groupreg_enforcing") == 1


def test_the_snapshot_shows_its_size_and_age(server: Homeserver, staff: Staff):
    accounts, exceptions = read("synapse_groupreg_snapshot_accounts"), read("synapse_groupreg_snapshot_exceptions")
    person, other = Person(server), Person(server)
    staff.verify(person.user_id).good()
    assert read("synapse_groupreg_snapshot_accounts") == accounts + 1
    staff.bar(other.user_id).good()
    assert read("synapse_groupreg_snapshot_exceptions") == exceptions + 1
    # It is looked after every second; much older means that the loop has died.
    assert 0 <= read("synapse_groupreg_snapshot_age_seconds") < 30


def test_the_upkeep_says_when_it_last_ran(server: Homeserver):
    assert server.running
    last = poll(lambda: read("synapse_groupreg_upkeep_last_run_timestamp_seconds", round="often"), seconds=20)
    assert last > read("process_start_time_seconds")


def test_nothing_was_lost_and_no_check_failed(server: Homeserver):
    assert server.running
    assert read("synapse_groupreg_refusals_lost_total") == 0
    assert [key for key in scrape() if key[0] == "synapse_groupreg_failed_checks_total"] == []


BLOCK = "synapse_util_metrics_block"
CALLBACKS = "synapse_groupreg.homeserver.callbacks.Callbacks"


def test_synapse_measures_each_callback_by_itself(server: Homeserver):
    room = Person(server, "founder")
    room.send(room.found_group()).good()
    measured = read(f"{BLOCK}_count_total", block_name=f"{CALLBACKS}.check_event_for_spam")
    assert measured >= 1
    assert read(f"{BLOCK}_time_seconds_total", block_name=f"{CALLBACKS}.check_event_for_spam") > 0


def expressions() -> list[str]:
    """What the panels ask Prometheus for."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def named(expression: str) -> set[str]:
    """The metrics in a query; a name that a parenthesis follows is a function."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)', "", expression)
    return {name for name in re.findall(r"[a-z_]+\b(?!\s*\()", bare) if "_" in name}


def test_the_dashboard_asks_only_for_what_is_there(server: Homeserver):
    assert server.running
    there = {family.name for family in families()}
    asked = {name for expression in expressions() for name in named(expression)}
    assert {name for name in asked if name.removesuffix("_total") not in there} == set()


def test_the_dashboard_shows_everything_that_we_count(server: Homeserver):
    assert server.running
    ours = {family.name for family in families() if family.name.startswith("synapse_groupreg_")}
    asked = {name.removesuffix("_total") for expression in expressions() for name in named(expression)}
    assert ours - asked == set()


def test_the_documentation_names_each_of_them(server: Homeserver):
    assert server.running
    ours = {family.name for family in families() if family.name.startswith("synapse_groupreg_")}
    described = re.findall(r"^\| `(synapse_groupreg_\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    assert {name.removesuffix("_total") for name in described} == ours


def test_every_panel_of_the_dashboard_is_explained_and_finds_its_source():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${source}"
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"source", "server"}

# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The module's options in a trial: ours, and over them those that whoever tries things out wrote into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.check_config import Entry, config_problems, read_yaml, retention_problems
from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.trial.folder import write_secret
from synapse_groupreg.config import merged

if TYPE_CHECKING:
    from synapse_groupreg.cli.trial.folder import Trial

MODULE_CONFIG = {
    "mode": "enforce",
    "preset": "groups-2017",
    "federation": "closed",
    # Few enough to run into by hand.
    "quotas": {"members_per_room": 500, "rooms_founded": 2, "rooms_joined": 10},
    "identity": {"required": {"post": "real_name", "found": "real_name", "join": "none"}},
    "texts": {"default_language": "en"},
}
"""The preset's rules with smaller numbers; unverified people may look around."""

_EMPTY = """\
# The module's options for this server, over those that `groupreg up` sets. They hold once it is stopped
# (`groupreg down`) and started again. Every option: config/groupreg.example.yaml. For instance:
#
# groups: {categories: [study, sport]}
"""
_EXAMPLE = "must be options of the module, like `groups: {categories: [study, sport]}`"


def offer(trial: Trial) -> None:
    """Make the file if it isn't there."""
    if not trial.options.exists():
        write_secret(trial.options, _EMPTY)


def module_config(trial: Trial) -> dict[str, Any]:
    """What the module is configured with. Raises BadInput with every problem of the file."""
    file = trial.options
    written = (read_yaml(file) if file.exists() else None) or {}
    if not isinstance(written, dict) or "modules" in written:
        raise BadInput(f"{file} {_EXAMPLE}.")
    config = merged(MODULE_CONFIG, written)
    entry = Entry("", config)
    problems = config_problems(entry) or retention_problems(file, entry, config)
    if problems:
        message = f"{file} has {plural(len(problems), 'problem')}: mend it, then call up again."
        raise BadInput(message, [str(problem) for problem in problems])
    return config


def outdated(trial: Trial, config: dict[str, Any]) -> bool:
    """Whether the server was started with other options."""
    import yaml  # noqa: PLC0415 - see read_yaml

    try:
        started_with = yaml.safe_load(trial.homeserver_yaml.read_text("utf-8"))
        return bool(started_with["modules"][0]["config"] != config)
    except (OSError, ValueError, TypeError, LookupError, yaml.YAMLError):
        return True

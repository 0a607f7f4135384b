# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's YAML as frozen models, a section per policy file. What is unlawful or misspelt does not start.

Every option is documented by the docstring under it; `config/groupreg.example.yaml` shows each one.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from synapse_groupreg.config.documented import meanings
from synapse_groupreg.config.groups import GroupsConfig
from synapse_groupreg.config.retention import ROOM_ID, RetentionConfig
from synapse_groupreg.config.types import (
    CODES,
    AssuranceName,
    Code,
    Count,
    Duration,
    Language,
    Mode,
    OnError,
    Section,
    UserGlob,
)
from synapse_groupreg.errors import BadConfig, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

__all__ = [
    "CODES",
    "AssuranceName",
    "Code",
    "GroupRegConfig",
    "Language",
    "Mode",
    "OnError",
    "load",
    "options",
    "settings_of",
]

_LOCALPART = r"^[a-z0-9._=/+\-]{1,64}$"
_NOT_SHOWN = frozenset({"mode", "retention.store.args"})
"""Left out where a configuration is recorded: the second has a password in it."""
_VALUES = frozenset({"args", "members_over", "full_content"})
"""Options that are mappings themselves."""
_SHAPES = {
    ROOM_ID: "must be a room's id, like '!abc:example.org'",
    _LOCALPART: "must be of 1 to 64 small letters, digits and . _ = / + -",
}
"""What is said of a text that does not match."""
_MESSAGES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping of options to values",
    "invalid_key": "is not an option; the name of an option is a text",
}


class QuotasConfig(Section):
    """The three caps (article 8.1). Staff can override each for one room, account or person while the server runs."""

    members_per_room: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """Members that a group may have."""
    rooms_founded: Count = 10
    """Groups that a person may have founded."""
    rooms_joined: Count = 200
    """Groups that a person may be a member of."""


class RequiredConfig(Section):
    """The assurance that an act needs (article 6.2): none, contact, real_name or in_person."""

    post: AssuranceName = "none"
    """To publish anything: messages, reactions, state, invites, aliases, media, profile, kicks and bans."""
    found: AssuranceName = "none"
    """To found a group, beyond what `post` needs."""
    join: AssuranceName = "none"
    """To join a group."""
    members_over: dict[Annotated[int, Field(ge=1)], AssuranceName] = Field(default_factory=dict)
    """To join or post in a group that has more members than the key says, like `{100: real_name}`."""


class IdentityConfig(Section):
    """Verified identity (article 6)."""

    required: RequiredConfig = RequiredConfig()
    """Which assurance each act needs."""
    remote_senders: OnError = "allow"
    """Whether accounts of other servers, which nobody here can verify, may post in groups here."""
    keys_path: str | None = None
    """Folder of the key that digests identity references; default: `groupreg` beside Synapse's configuration file."""


class BlacklistConfig(Section):
    """The blacklist (article 11.3)."""

    default_scope: Literal["groups", "account"] = "groups"
    """What an entry on an account cuts when it doesn't say: the functions of groups, or the whole account."""


class MeasuresConfig(Section):
    """Measures on groups and people (articles 11.1 and 11.2)."""

    closed_readable: Duration = 604_800_000
    """How long members can read a group that was closed, like `7d`; then they are removed from it."""
    report: Literal["not-due", "due"] = "not-due"
    """Whether a new measure is to be reported to the authority (11.4), which `groupreg status` then reminds of."""


class NoticesConfig(Section):
    """Messages that explain refusals which clients hide, in a direct room with an account of the module's own."""

    enabled: bool = True
    """Whether such messages are sent."""
    account: Annotated[str, Field(pattern=_LOCALPART)] = "groupreg"
    """The local part of that account's name; the module registers it as a bot."""
    every: Duration = 600_000
    """How long the same refusal of the same account in the same room is not explained again, like `10m`."""
    budget_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 60
    """How many messages the whole server sends in a minute at most; the rest waits."""


class RolesConfig(Section):
    """Founder, manager, member (article 8.6)."""

    manager_power_level: Annotated[int, Field(ge=1, le=100)] = 50
    """The power level from which a member counts as a manager."""


class LabelsConfig(Section):
    """Words for the roles of a group, written into its state for clients to show (article 8.6)."""

    enabled: bool = False
    """Whether new groups are labelled, founders can have older ones labelled, and only the module writes labels."""
    languages: tuple[Language, ...] = ()
    """The languages of the words; none: `default_language` of `texts`."""


class TextsConfig(Section):
    """The language of what people read."""

    default_language: Language = "en"
    """For whom no language is known, neither from the account's settings nor from a client."""


class OnErrorConfig(Section):
    """What to answer when a check of ours fails unexpectedly: allow or refuse."""

    send: OnError = "allow"
    """Messages and other events."""
    join: OnError = "refuse"
    """Joins."""
    found: OnError = "refuse"
    """Foundings."""
    invite: OnError = "refuse"
    """Invites."""
    manage: OnError = "refuse"
    """Kicks, bans, aliases, publishing, uploads and profile changes."""
    retention: OnError = "allow"
    """All of these while the retention store can't be written: nothing is lost, the recorder catches up later."""


class GroupRegConfig(Section):
    """The whole configuration of the module."""

    mode: Mode
    """`dry` judges, journals and counts, and refuses nothing; `enforce` refuses. Staff can switch while it runs."""
    federation: Literal["closed", "open"]
    """`closed`: new groups never federate (`m.federate: false`). `open`: caps hold for joins through this server."""
    preset: Literal["groups-2017"] | None = None
    """Values fit for the regulation of 2017; whatever is written beside it wins."""
    dry_run: tuple[Code, ...] = ()
    """Codes of rules that stay dry while the others are enforced."""
    quotas: QuotasConfig = QuotasConfig()
    """Caps and limits."""
    identity: IdentityConfig = IdentityConfig()
    """Verified identity."""
    blacklist: BlacklistConfig = BlacklistConfig()
    """The blacklist."""
    measures: MeasuresConfig = MeasuresConfig()
    """Measures."""
    notices: NoticesConfig = NoticesConfig()
    """Messages that explain refusals."""
    roles: RolesConfig = RolesConfig()
    """Roles in groups."""
    labels: LabelsConfig = LabelsConfig()
    """Words for the roles."""
    groups: GroupsConfig = GroupsConfig()
    """Numbers and pages of groups."""
    second_staff: Literal["required", "none"] = "required"
    """Whether an act that touches more than 20 accounts or staff, uses a glob or skips a step waits for a second."""
    exempt: tuple[UserGlob, ...] = ()
    """Accounts that quotas and identity rules don't bind, such as bridges and bots; * and ? are wildcards."""
    texts: TextsConfig = TextsConfig()
    """Languages."""
    retention: RetentionConfig = RetentionConfig()
    """The retention store."""
    on_error: OnErrorConfig = OnErrorConfig()
    """What to answer when a check fails."""
    membership_guard: Literal["request", "event_allowed"] = "request"
    """How kicks and bans are seen: from the request, or by Synapse's `check_event_allowed`, which loads room state."""

    @property
    def languages_of_labels(self) -> tuple[Language, ...]:
        """The languages that roles are labelled in."""
        return self.labels.languages or (self.texts.default_language,)


def load(data: object) -> GroupRegConfig:
    """Check a configuration. Raises BadConfig with every problem at once."""
    if not isinstance(data, dict):
        raise BadConfig([Problem("", "the configuration must be a mapping of options to values")])
    try:
        return GroupRegConfig.model_validate(_sequences_as_tuples(_with_preset(data)))
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
        raise BadConfig(problems) from None


def settings_of(config: GroupRegConfig) -> dict[str, Any]:
    """The value of each option by its path, as JSON has it; without the mode, which staff sets too, and secrets."""
    return {path: value for path, value in _flat(config.model_dump(mode="json")) if path not in _NOT_SHOWN}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and name not in _VALUES:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def preset_values(name: str) -> dict[str, Any]:
    """What a preset sets."""
    text = resources.files("synapse_groupreg").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    assert isinstance(values, dict)
    return values


def options(section: type[BaseModel] = GroupRegConfig) -> list[str]:
    """The paths of all options, like `identity.required.post`."""
    found = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        found += [f"{name}.{path}" for path in options(inner)] if nested else [name]  # type: ignore[arg-type]  # `nested` says what it is
    return found


def _with_preset(data: dict[str, Any]) -> dict[str, Any]:
    name = data.get("preset")
    if name != "groups-2017":
        return data  # absent, or unknown, which the model refuses with the names that exist
    return merged(preset_values(name), data)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Options over others, section by section."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        # `members_over` is one value: tiers of the preset beside the operator's own would surprise.
        both = isinstance(under, dict) and isinstance(value, dict) and key != "members_over"
        result[key] = merged(under, value) if both else value  # type: ignore[arg-type]  # `both` says that they are dicts
    return result


def _sequences_as_tuples(value: dict[str, Any]) -> dict[str, Any]:
    return {key: _sequence_as_tuple(item) for key, item in value.items()}


def _sequence_as_tuple(value: Any) -> Any:
    if isinstance(value, dict):
        return _sequences_as_tuples(value)
    return tuple(value) if isinstance(value, list) else value


def _problem(details: ErrorDetails) -> Problem:
    path = ".".join(str(part) for part in details["loc"] if part != "[key]")
    return Problem(path, _advice(details))


def _advice(details: ErrorDetails) -> str:
    kind = details["type"]
    if kind == "missing":
        return f"is required: {_meaning(details)}"
    if kind == "extra_forbidden":
        return _unknown_key(details)
    message = _MESSAGES.get(kind, details["msg"])
    if kind == "string_pattern_mismatch":
        message = _SHAPES[details["ctx"]["pattern"]]
    elif kind == "string_too_short":
        message = f"must be a sentence of at least {details['ctx']['min_length']} characters"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _section(details: ErrorDetails) -> type[BaseModel]:
    """The section in which something is wrong; numbers are places in lists."""
    section: type[BaseModel] = GroupRegConfig
    for part in details["loc"][:-1]:
        if isinstance(part, str):
            inner = _model_in(section.model_fields[part].annotation)
            assert inner is not None
            section = inner
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field is, may be, or is a list of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)


def _meaning(details: ErrorDetails) -> str:
    return meanings(_section(details))[str(details["loc"][-1])]


def _unknown_key(details: ErrorDetails) -> str:
    name, known = str(details["loc"][-1]), sorted(_section(details).model_fields)
    elsewhere = [path for path in options() if path.rpartition(".")[2] == name]
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes alone, and not small

    near = elsewhere or get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the options here are {', '.join(known)}"
    return f"is not an option; {hint}"

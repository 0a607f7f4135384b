# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files that a Synapse needs before it starts: configuration, logging, signing key."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from attrs import field, frozen

from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.process import free_port

MODULE = "synapse_groupreg.GroupRegModule"

# Tests do in a second what people do in a day.
_UNLIMITED = {"per_second": 100_000, "burst_count": 100_000}
_NO_RATE_LIMITS: dict[str, object] = {
    "rc_message": _UNLIMITED,
    "rc_registration": _UNLIMITED,
    "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), _UNLIMITED),
    "rc_joins": {"local": _UNLIMITED, "remote": _UNLIMITED},
    "rc_joins_per_room": _UNLIMITED,
    "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), _UNLIMITED),
    "rc_room_creation": _UNLIMITED,
    "rc_third_party_invite": _UNLIMITED,
    "rc_media_create": _UNLIMITED,
    "rc_presence": {"per_user": _UNLIMITED},
    "rc_reports": _UNLIMITED,
    "rc_user_directory": _UNLIMITED,
    "rc_profile": _UNLIMITED,
    "rc_delayed_event_mgmt": _UNLIMITED,
    "rc_admin_redaction": _UNLIMITED,
}


@frozen(kw_only=True)
class HomeserverFiles:
    """What one homeserver is made of; everything it keeps lies in `folder`."""

    folder: Path
    port: int = field(factory=free_port)
    server_name: str = "localhost"
    database: Database | None = None
    """None: SQLite, in the folder."""
    module_config: Mapping[str, object] | None = None
    """None: the homeserver runs without the module."""
    settings: Mapping[str, object] = field(factory=dict)
    """Further keys of homeserver.yaml; they win over those written here."""
    further_listeners: Sequence[Mapping[str, object]] = ()
    log_levels: Mapping[str, str] = field(factory=dict)
    """Log levels by logger name, for a test that counts what Synapse logs."""
    registration_secret: str = field(factory=lambda: secrets.token_urlsafe(24), repr=False)
    heading: str | None = None
    """The first line of homeserver.yaml, for who opens it."""

    @property
    def url(self) -> str:
        """Where clients find the homeserver."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.folder / "homeserver.yaml"

    @property
    def arguments(self) -> list[str]:
        """What to tell a Synapse process so that it serves these files."""
        return ["--config-path", str(self.path)]

    def write(self) -> None:
        """Write the files; the signing key is made once and kept."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_yaml(self.path, self._homeserver(), heading=self.heading)
        write_private_yaml(self.folder / "log.yaml", self._logging())
        key = self.folder / "signing.key"
        if not key.exists():
            seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            write_private(key, f"ed25519 a_rig {seed}\n")

    def _homeserver(self) -> dict[str, object]:
        media = self.folder / "media"
        written: dict[str, object] = {
            "server_name": self.server_name,
            "public_baseurl": f"{self.url}/",
            "pid_file": str(self.folder / "homeserver.pid"),
            "listeners": [http_listener(self.port, "client", "keys"), *map(dict, self.further_listeners)],
            "database": self._database(),
            "log_config": str(self.folder / "log.yaml"),
            "signing_key_path": str(self.folder / "signing.key"),
            "media_store_path": str(media),
            "registration_shared_secret": self.registration_secret,
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,
            "report_stats": False,
            "suppress_key_server_warning": True,
            "trusted_key_servers": [],
            # No other server is asked for anything: to find out that there is none takes seconds.
            "federation_domain_whitelist": [],
        }
        if self.module_config is not None:
            written["modules"] = [{"module": MODULE, "config": dict(self.module_config)}]
        return written | _NO_RATE_LIMITS | dict(self.settings)

    def _database(self) -> dict[str, object]:
        if self.database is not None:
            return self.database.synapse_setting()
        return {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}}

    def _logging(self) -> dict[str, object]:
        line = "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"
        return {
            "version": 1,
            "formatters": {"line": {"format": line}},
            "handlers": {"output": {"class": "logging.StreamHandler", "formatter": "line"}},
            "loggers": {name: {"level": level} for name, level in self.log_levels.items()},
            "root": {"level": "INFO", "handlers": ["output"]},
            "disable_existing_loggers": False,
        }


def http_listener(port: int, *resources: str) -> dict[str, object]:
    """A listener of homeserver.yaml for `resources` on the loopback address."""
    return {
        "port": port,
        "type": "http",
        "tls": False,
        "bind_addresses": ["127.0.0.1"],
        "resources": [{"names": list(resources)}],
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def write_private_yaml(path: Path, content: Mapping[str, object], *, heading: str | None = None) -> None:
    """Write `content` as YAML into a file that only its owner may read; `heading` is a comment above it."""
    above = "" if heading is None else f"# {heading}\n"
    write_private(path, above + yaml.safe_dump(dict(content), sort_keys=False))

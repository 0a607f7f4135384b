# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a PostgreSQL database is, in the spellings that its users want."""

from urllib.parse import quote

from attrs import frozen


@frozen(kw_only=True)
class Database:
    """One PostgreSQL database and the login that owns it."""

    host: str
    port: int
    user: str
    password: str
    name: str

    @property
    def dsn(self) -> str:
        """The address as psycopg2 and psql take it."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{self.name}"

    def synapse_setting(self) -> dict[str, object]:
        """The `database` section of homeserver.yaml."""
        return {
            "name": "psycopg2",
            "args": {
                "host": self.host,
                "port": self.port,
                "user": self.user,
                "password": self.password,
                "dbname": self.name,
                "cp_min": 2,
                "cp_max": 10,
            },
        }

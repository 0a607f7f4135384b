# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real homeservers that federate with each other, over TLS with certificates that they verify."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from synapse_groupreg.rig.homeserver_yaml import http_listener, write_private
from synapse_groupreg.rig.process import free_port
from synapse_groupreg.rig.synapse import Homeserver

_HOST = "localhost"
# Whatever the clock says.
_BEGIN = dt.datetime.fromtimestamp(0, dt.UTC)
_END = _BEGIN + dt.timedelta(days=40_000)
# Tests do in a second what servers do in an hour.
_UNLIMITED = {"window_size": 1000, "sleep_limit": 100_000, "sleep_delay": 1, "reject_limit": 100_000, "concurrent": 100}


class Federation:
    """A certificate authority in `folder`, and the homeservers that trust it: they find each other by name and port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("The authority of the rig")
        authority = _certificate(self._name, self._key.public_key(), self._name)
        authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._write("authority", authority)
        self._write_server(_HOST)

    def homeserver(
        self,
        folder: Path,
        *,
        module_config: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        log_levels: Mapping[str, str] | None = None,
    ) -> Homeserver:
        """A homeserver, not yet started, that serves its clients as any of the rig and other servers beside that."""
        port = free_port()
        return Homeserver(
            folder,
            module_config=module_config,
            settings=self.settings() | dict(settings or {}),
            server_name=self.server_name(port),
            log_levels=log_levels,
            further_listeners=[http_listener(port, "federation") | {"tls": True}],
        )

    def server_name(self, port: int) -> str:
        """The name of a homeserver that the others find on `port`."""
        return f"{_HOST}:{port}"

    def tls(self) -> ssl.SSLContext:
        """For a proxy in front of a homeserver: what the others trust."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / "server.crt", self._folder / "server.key")
        return context

    def settings(self) -> dict[str, object]:
        """What homeserver.yaml says of this federation, also for a homeserver that others find behind a proxy."""
        return {
            "tls_certificate_path": str(self._folder / "server.crt"),
            "tls_private_key_path": str(self._folder / "server.key"),
            "federation_custom_ca_list": [str(self._folder / "authority.crt")],
            # Anybody may be talked to, on this machine too.
            "federation_domain_whitelist": None,
            "federation_ip_range_blacklist": [],
            "rc_federation": _UNLIMITED,
        }

    def _write_server(self, host: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
        server = _certificate(_named(host), key.public_key(), self._name).add_extension(names, critical=False)
        self._write("server", server)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self._folder / "server.key", secret.decode())

    def _write(self, name: str, certificate: x509.CertificateBuilder) -> None:
        signed = certificate.sign(self._key, hashes.SHA256())
        (self._folder / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _certificate(name: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
    )

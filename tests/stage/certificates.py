"""Certificates made for one test: an authority, what it issues, and the directives that make a server use them."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    file: Path
    key_file: Path


class Authority:
    """A certificate authority of the test's own.

    Attributes:
        file: Its certificate, PEM: what `--tls-ca` takes.
    """

    def __init__(self, directory: Path, name: str = "authority") -> None:
        """Make its key and its certificate in a directory."""
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key(), _now() - _DAY, _now() + _DAY)
        usage = _key_usage(signs_certificates=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *names: str, expires: dt.timedelta = _DAY, pass_phrase: bytes = b"") -> Certificate:
        """Issue a certificate for a server or a client; a node of a cluster is both.

        Args:
            name: Of its files, and its common name, which nobody compares with a host's.
            names: Host names and addresses it is good for.
            expires: When, from now; a negative one has expired.
            pass_phrase: That its key is encrypted with; empty for none.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(subject, key.public_key(), _now() - 2 * _DAY, _now() + expires)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(purposes, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        issued = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        issued.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if pass_phrase:
            encryption = serialization.BestAvailableEncryption(pass_phrase)
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        issued.key_file.write_bytes(key.private_bytes(pem, form, encryption))
        return issued

    def directives(self, certificate: Certificate, *, clients: str = "no") -> Sequence[str]:
        """Return a server's directives for TLS with this certificate.

        Args:
            certificate: The server's.
            clients: Whether clients must show a certificate of this authority, `yes` or `no`.
        """
        files = ("--tls-cert-file", certificate.file, "--tls-key-file", certificate.key_file)
        return (*map(str, files), "--tls-ca-cert-file", str(self.file), "--tls-auth-clients", clients)

    def _builder(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        not_before: dt.datetime,
        not_after: dt.datetime,
    ) -> x509.CertificateBuilder:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(issuer_key, critical=False)
        )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )

"""Certificates for the tests: authorities of their own, and what these sign."""

import dataclasses
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The files of a certificate and of its key."""

    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """An authority with its certificate in `file`."""

    def __init__(self, directory, name="authority"):
        self.directory = directory
        self.name = _name(f"test {name}")
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = _builder(self.name, self.name, self._key, now - 30 * _DAY, now + 30 * _DAY)
        certificate = certificate.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).sign(self._key, hashes.SHA256())
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names, label="server", first_day=-1, last_day=1):
        """Signs a certificate for host names and addresses; the days are counted from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = _builder(
            _name(label), self.name, key, now + first_day * _DAY, now + last_day * _DAY)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in names]),
                critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        files = Certificate(self.directory / f"{label}.crt", self.directory / f"{label}.key")
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return files


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject, issuer, key, first, last):
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(first).not_valid_after(last))

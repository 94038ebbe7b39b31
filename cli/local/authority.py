"""The development certificate authority: identities for every part of a local stack.

Each leaf carries the identity URI that ``chassis.rpc.peer`` reads and the DNS name by which callers
check whom they reached. Never used beyond one machine: a deployment has its own authority.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chassis.clock import Clock, system_clock
from chassis.rpc.peer import TRUST_DOMAIN, Peer
from chassis.rpc.tls import TlsFiles

ROOT_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=90)
RENEW_BEFORE = timedelta(days=30)
_SKEW = timedelta(minutes=5)
_ADDRESSES = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


@dataclass(frozen=True, slots=True)
class Authority:
    """A root key and certificate in a directory, and the leaves it issued beside them."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    now: Clock

    @property
    def root_file(self) -> Path:
        """The certificate that everyone trusts."""
        return self.directory / "authority.pem"

    def identity(self, peer: Peer) -> TlsFiles:
        """Return the PEM files of a peer; made if missing, renewed 30 days before their end."""
        stem = self.directory / f"{peer.kind}-{peer.name}"
        files = TlsFiles(
            stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key"), self.root_file
        )
        if not self._usable(files):
            key = ec.generate_private_key(ec.SECP256R1())
            _write_key(files.key, key)
            _write(files.certificate, self._issue(peer, key).public_bytes(serialization.Encoding.PEM), 0o644)
        return files

    def _usable(self, files: TlsFiles) -> bool:
        try:
            leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
            key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        except (OSError, ValueError):
            return False
        fresh = leaf.not_valid_after_utc - RENEW_BEFORE > self.now()
        ours = leaf.issuer == self.certificate.subject and leaf.public_key() == key.public_key()
        return fresh and ours and _signed_by(leaf, self.certificate)

    def _issue(self, peer: Peer, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        names = [
            x509.UniformResourceIdentifier(peer.uri),
            x509.DNSName(peer.host_name),
            x509.DNSName("localhost"),
            *(x509.IPAddress(address) for address in _ADDRESSES),
        ]
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        draft = _draft(_subject(str(peer)), self.certificate.subject, key, self.now(), LEAF_LIFETIME)
        return (
            draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )


def open_authority(directory: Path, *, now: Clock = system_clock) -> Authority:
    """Return the authority kept in a directory; made at the first call, renewed with all leaves near its end."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file, certificate_file = directory / "authority.key", directory / "authority.pem"
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError):
        return _new_authority(directory, key_file, certificate_file, now)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return _new_authority(directory, key_file, certificate_file, now)
    if certificate.not_valid_after_utc - LEAF_LIFETIME <= now():
        return _new_authority(directory, key_file, certificate_file, now)
    return Authority(directory, key, certificate, now)


def _new_authority(directory: Path, key_file: Path, certificate_file: Path, now: Clock) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject(f"{TRUST_DOMAIN} development authority")
    certificate = (
        _draft(name, name, key, now(), ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file, key)
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return Authority(directory, key, certificate, now)


def _draft(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _signed_by(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(root)
    except Exception:  # noqa: BLE001 - several exception types all mean no
        return False
    return True


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, pem, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace the file in one step; a key is never readable by others, not even for a moment."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    fresh.chmod(mode)
    fresh.replace(path)

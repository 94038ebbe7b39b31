"""The development certificate authority: identities for every part of a local stack.

Each leaf carries the identity URI that ``chassis.rpc.peer`` reads and the DNS name by which callers
check whom they reached. Never used beyond one machine: a deployment has its own authority.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
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
_HasPublicKey = ec.EllipticCurvePrivateKey | x509.CertificateSigningRequest
_SKEW = timedelta(hours=1)
"""A machine whose clock is behind trusts fresh certificates all the same."""
_LOCAL_NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)
DEVELOPMENT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{TRUST_DOMAIN} development authority")])


@dataclass(frozen=True, slots=True)
class Authority:
    """A root key and certificate in a directory, and the leaves it issued beside them."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    now: Clock

    @property
    def local_names(self) -> tuple[x509.GeneralName, ...]:
        """The names of this machine to itself."""
        return _LOCAL_NAMES

    @property
    def root_file(self) -> Path:
        """The certificate that everyone trusts."""
        return self.directory / "authority.pem"

    def identity(self, peer: Peer) -> TlsFiles:
        """Return the PEM files of a peer; made if missing, renewed 30 days before their end."""
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(peer.uri),
            x509.DNSName(peer.host_name),
        ]
        return self.leaf(f"{peer.kind}-{peer.name}", str(peer), [*names, *_LOCAL_NAMES])

    def leaf(self, stem: str, common_name: str, names: Sequence[x509.GeneralName]) -> TlsFiles:
        """Return the PEM files of a leaf for these names, kept under a stem; made and renewed as an identity."""
        files = TlsFiles(self.directory / f"{stem}.pem", self.directory / f"{stem}.key", self.root_file)
        if not self._usable(files, names):
            key = ec.generate_private_key(ec.SECP256R1())
            leaf = self._issue(common_name, names, key)
            _write_key(files.key, key)
            _write(files.certificate, leaf.public_bytes(serialization.Encoding.PEM), 0o644)
        return files

    def certify(self, peer: Peer, request: x509.CertificateSigningRequest) -> bytes:
        """Return a certificate, PEM, for the key of a request and the name that we give it."""
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(peer.uri),
            x509.DNSName(peer.host_name),
        ]
        return self._issue(str(peer), names, request).public_bytes(serialization.Encoding.PEM)

    def _usable(self, files: TlsFiles, names: Sequence[x509.GeneralName]) -> bool:
        try:
            leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
            key = serialization.load_pem_private_key(files.key.read_bytes(), None)
            said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, x509.ExtensionNotFound):
            return False
        fresh = leaf.not_valid_after_utc - RENEW_BEFORE > self.now()
        ours = leaf.issuer == self.certificate.subject and leaf.public_key() == key.public_key()
        return list(said) == list(names) and fresh and ours and _signed_by(leaf, self.certificate)

    def _issue(
        self, common_name: str, names: Sequence[x509.GeneralName], key: _HasPublicKey
    ) -> x509.Certificate:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        draft = _draft(_subject(common_name), self.certificate.subject, key, self.now(), LEAF_LIFETIME)
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


def open_authority(
    directory: Path, *, subject: x509.Name = DEVELOPMENT, now: Clock = system_clock
) -> Authority:
    """Return the authority kept in a directory; made at the first call, renewed with all leaves near its end.

    ``subject`` is the name of one that is made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return find_authority(directory, now=now) or _new_authority(directory, subject, now)


def find_authority(directory: Path, *, now: Clock = system_clock) -> Authority | None:
    """Return the authority kept in a directory; None where there is none that is whole and outlives a leaf."""
    key_file, certificate_file = _root_files(directory)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    if certificate.not_valid_after_utc - LEAF_LIFETIME <= now():
        return None
    return Authority(directory, key, certificate, now)


def _root_files(directory: Path) -> tuple[Path, Path]:
    return directory / "authority.key", directory / "authority.pem"


def _new_authority(directory: Path, name: x509.Name, now: Clock) -> Authority:
    key_file, certificate_file = _root_files(directory)
    key = ec.generate_private_key(ec.SECP256R1())
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
    subject: x509.Name, issuer: x509.Name, key: _HasPublicKey, now: datetime, lifetime: timedelta
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

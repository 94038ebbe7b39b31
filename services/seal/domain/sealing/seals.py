"""Making a seal, and preparing one for many sealings: parsed, checked and digested once."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, declare
from services.seal.domain import ofd
from services.seal.domain.certificates import Certificate, CertificateError, read_certificate
from services.seal.domain.structures import (
    Seal,
    SealFields,
    StructureError,
    read_seal,
    write_seal,
    write_seal_info,
)
from services.seal.domain.suite import SigningKey, Suite

SEAL_MALFORMED = declare(
    "SEAL_MALFORMED", Kind.INVALID_ARGUMENT, "印章数据无法解析", "The seal cannot be read"
)
SEAL_NOT_USABLE = declare(
    "SEAL_NOT_USABLE", Kind.FAILED_PRECONDITION, "印章不可用于签章：{why}", "The seal cannot be used: {why}"
)


@dataclass(frozen=True, slots=True)
class SealInUse:
    """A seal with its user's key, ready to seal many documents: parsed, checked and digested once."""

    suite: Suite
    key: SigningKey
    certificate: bytes
    seal: Seal
    member: ofd.Member
    check_value: str

    def refuse_at(self, moment: datetime) -> None:
        """Do nothing if seal and certificate are valid at `moment`.

        Raises:
            SEAL_NOT_USABLE: One of them is not.
        """
        parsed = self.seal
        if not max(parsed.valid_from, parsed.created_at) <= moment <= parsed.valid_until:
            raise SEAL_NOT_USABLE(why="validity")
        if not read_certificate(self.certificate).valid_at(moment):
            raise SEAL_NOT_USABLE(why="certificate")


def make_seal(suite: Suite, maker_key: SigningKey, maker_certificate: bytes, fields: SealFields) -> bytes:
    """Return a v4 seal signed by the maker; the same bytes then serve every sealing.

    Raises:
        SEAL_NOT_USABLE: Dates out of order, no user certificate, or a maker certificate of another key.
    """
    if not fields.valid_from < fields.valid_until or not fields.created_at <= fields.valid_until:
        raise SEAL_NOT_USABLE(why="validity")
    if not fields.certificates:
        raise SEAL_NOT_USABLE(why="certList")
    _matching(maker_certificate, maker_key, suite)
    for certificate in fields.certificates:
        _readable(certificate)
    info = write_seal_info(fields)
    return write_seal(info, maker_certificate, suite.signature_oid, maker_key.sign(info))


def prepare_seal(suite: Suite, seal: bytes, certificate: bytes, key: SigningKey) -> SealInUse:
    """Return the seal ready for use by the holder of `certificate`.

    Raises:
        SEAL_MALFORMED: The bytes are no seal.
        SEAL_NOT_USABLE: Not a v4 seal of this suite, or the certificate is not the key's or not in the seal.
    """
    try:
        parsed = read_seal(seal)
    except StructureError:
        raise SEAL_MALFORMED() from None
    if parsed.generation != 4 or parsed.algorithm != suite.signature_oid:
        raise SEAL_NOT_USABLE(why="generation")
    if certificate not in parsed.certificates:
        raise SEAL_NOT_USABLE(why="certList")
    _matching(certificate, key, suite)
    member = ofd.new_member("Seal.esl", seal)
    return SealInUse(suite, key, certificate, parsed, member, check_value(suite, seal))


def check_value(suite: Suite, data: bytes) -> str:
    """Return the CheckValue of a protected file: base64 of the suite's digest."""
    return base64.b64encode(suite.digest(data)).decode("ascii")


def _matching(certificate: bytes, key: SigningKey, suite: Suite) -> None:
    parsed = _readable(certificate)
    if parsed.public_key != key.public_key or parsed.curve_oid != suite.curve_oid:
        raise SEAL_NOT_USABLE(why="key")


def _readable(certificate: bytes) -> Certificate:
    try:
        return read_certificate(certificate)
    except CertificateError:
        raise SEAL_NOT_USABLE(why="certificate") from None

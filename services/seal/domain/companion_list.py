"""The signed list of PDF certificates: which belong to which seal, for verifiers that cannot ask the register.

A PDF signature names its seal by id alone; nothing in the file ties the certificate to that seal. A list in the form
of `signed_list`, marked "TBCL"; seals and digests are in ascending order:

    CompanionEntry ::= SEQUENCE { sealId IA5String, validFrom GeneralizedTime, validUntil GeneralizedTime,
                                  certificates SEQUENCE OF OCTET STRING (SIZE (32)) }

The digests are SHA-256 of the DER certificate. Whether the seal was active is the status list's to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, declare
from services.seal.domain import der
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.signed_list import ListKind, ListSigner, by_seal, exactly, open_list, sign_list
from services.seal.domain.suite import SigningKey, Suite
from services.seal.domain.verification.evidence import Evidence

_DIGEST_BYTES = 32
COMPANION_LIST_MALFORMED = declare(
    "SEAL_COMPANION_LIST_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "PDF 签名证书清单无法解析",
    "The list of PDF certificates cannot be read",
)
COMPANION_LIST_UNTRUSTED = declare(
    "SEAL_COMPANION_LIST_UNTRUSTED",
    Kind.FAILED_PRECONDITION,
    "PDF 签名证书清单不可信：{why}",
    "The list of PDF certificates is not to be trusted: {why}",
)
COMPANION_LIST_STALE = declare(
    "SEAL_COMPANION_LIST_STALE",
    Kind.FAILED_PRECONDITION,
    "PDF 签名证书清单已过期",
    "The list of PDF certificates is out of date",
)
_KIND = ListKind("TBCL", COMPANION_LIST_MALFORMED, COMPANION_LIST_UNTRUSTED, COMPANION_LIST_STALE)


@dataclass(frozen=True, slots=True)
class ListedCompanion:
    """What the list says of one seal: since when and until when it may seal, and the SHA-256 of its PDF certificates."""

    valid_from: datetime
    valid_until: datetime
    certificate_sha256: frozenset[bytes]

    def holds(self, certificate: bytes) -> bool:
        """Return whether a DER certificate is one of the seal's."""
        return hashlib.sha256(certificate).digest() in self.certificate_sha256


@dataclass(frozen=True, slots=True)
class CompanionList:
    """A list as verified: what the register said of every seal that seals PDFs, by seal id."""

    issued_at: datetime
    next_update: datetime
    companions: Mapping[str, ListedCompanion]


def make_companion_list(
    suite: Suite,
    key: SigningKey,
    certificate: bytes,
    issued_at: datetime,
    next_update: datetime,
    companions: Mapping[str, ListedCompanion],
) -> bytes:
    """Return the signed list; times are kept to whole seconds."""
    entries = [
        der.sequence(
            der.write_text(der.IA5_STRING, seal_id),
            der.write_time(one.valid_from),
            der.write_time(one.valid_until),
            der.sequence(*map(der.write_octets, sorted(one.certificate_sha256))),
        )
        for seal_id, one in sorted(companions.items())
    ]
    return sign_list(_KIND, ListSigner(suite, key, certificate), issued_at, next_update, entries)


def verify_companion_list(data: bytes, evidence: Evidence) -> CompanionList:
    """Return the list after its signature, its signer's path and purpose, and its age were checked.

    Raises:
        SEAL_COMPANION_LIST_MALFORMED: Not one strict list.
        SEAL_COMPANION_LIST_UNTRUSTED: The signature, path, purpose or revocation state of the signer is not sound.
        SEAL_COMPANION_LIST_STALE: `evidence.now` is after the promised next update.
    """
    opened = open_list(_KIND, data, evidence)
    return CompanionList(opened.issued_at, opened.next_update, by_seal(_KIND, opened, _entry))


def _entry(tlv: Tlv) -> tuple[str, ListedCompanion]:
    seal_id, valid_from, valid_until, digests = exactly(der.children(tlv), 4)
    found = [der.octets(each) for each in der.children(der.expect(digests, der.SEQUENCE))]
    if any(len(each) != _DIGEST_BYTES for each in found):
        raise DerError("not a SHA-256 digest")
    one = ListedCompanion(der.time(valid_from), der.time(valid_until), frozenset(found))
    return der.text(seal_id, der.IA5_STRING), one

"""Documents put together anew after a change: every digest right, and a good signature by whoever is named."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.seal.domain.pki import Credential
from services.seal.domain.structures import signature_tbs, signature_value
from services.seal.domain.suite import SM2_WITH_SM3
from tests.unit.seal.sealing_room import NOW, pack, sealed_once, signer, sm2, unpack

SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
SEAL = "Doc_0/Signs/Sign_0/Seal.esl"
LISTING = "Doc_0/Signs/Signatures.xml"
DOCUMENT = "Doc_0/Document.xml"
ROOT = "OFD.xml"
_REFERENCE = re.compile(rb'FileRef="/([^"]+)"><ofd:CheckValue>[^<]*<')


@dataclass(frozen=True)
class Digest:
    """A digest method: what stands in CheckMethod, and how it is computed."""

    stated: str
    compute: Callable[[bytes], bytes]


SM3 = Digest("1.2.156.10197.1.401", lambda data: sm2().digest(data))
MD5 = Digest("MD5", lambda data: hashlib.md5(data, usedforsecurity=False).digest())
SHA1 = Digest("SHA1", lambda data: hashlib.sha1(data, usedforsecurity=False).digest())


def files() -> dict[str, bytes]:
    """Return the members of the sound document."""
    return unpack(sealed_once())


def resealed(
    members: dict[str, bytes],
    *,
    who: Credential | None = None,
    at: datetime = NOW,
    method: Digest = SM3,
    timestamp: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Return the package with every reference digested again, signed by `who` with the seal that lies in it."""
    who = who or signer()
    xml = with_digests(members, method)
    tbs = signature_tbs(members[SEAL], at, sm2().digest(xml), f"/{SIGNATURE}")
    signature = sm2().open_key(who.private_key).sign(tbs)
    token = timestamp(signature) if timestamp else None
    value = signature_value(tbs, who.certificate, SM2_WITH_SM3, signature, token)
    return pack(members | {SIGNATURE: xml, VALUE: value})


def with_digests(members: dict[str, bytes], method: Digest = SM3) -> bytes:
    """Return Signature.xml with the digests that its members have now."""

    def renewed(found: re.Match[bytes]) -> bytes:
        value = base64.b64encode(method.compute(members[found[1].decode()]))
        return b'FileRef="/%b"><ofd:CheckValue>%b<' % (found[1], value)

    stated = f'CheckMethod="{method.stated}"'.encode()
    return _REFERENCE.sub(renewed, members[SIGNATURE].replace(f'CheckMethod="{SM3.stated}"'.encode(), stated))


def without_reference(xml: bytes, name: str) -> bytes:
    """Return Signature.xml with one file no longer protected."""
    entry = rb'<ofd:Reference FileRef="/' + re.escape(name.encode()) + rb'">.*?</ofd:Reference>'
    shorter = re.sub(entry, b"", xml)
    assert shorter != xml
    return shorter

"""The CMS message in a PDF signature (RFC 5652, EN 319 122-1 baseline), written and read as strict DER.

pyHanko builds the same message from asn1crypto objects; that takes most of the time of a whole sealing, and its
reader takes BER and trailing bytes. Twelve fields need neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.seal.domain import der
from services.seal.domain.certificates import Certificate, CertificateError, read_certificate
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.suite import SHA256, Suite

SIGNED_DATA, _DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, TIMESTAMP_TOKEN = "1.2.840.113549.1.9.16.2.47", "1.2.840.113549.1.9.16.2.14"
_VERSIONS = frozenset({1, 3})
SEAL_REFERENCE = "2.25.76214794420394849629090755893132161254"
"""Signed attribute: SEQUENCE { version INTEGER (1), sealId UTF8String, sealName UTF8String } of the seal that the
signature stands for (an OID from a UUID, X.667)."""


@dataclass(frozen=True, slots=True)
class SealReference:
    """Which seal a signature says it was made with."""

    seal_id: str
    seal_name: str


@dataclass(frozen=True, slots=True)
class Message:
    """A detached message with one signer; slices of the received bytes."""

    digest_oid: str
    certificates: tuple[bytes, ...]
    signer: Certificate | None
    signer_is_readable: bool
    attributes_set: bytes
    attributes: dict[str, Tlv]
    algorithm: str
    signature: bytes
    token: bytes | None


def signed_attributes(suite: Suite, certificate: bytes, data_hash: bytes, seal: SealReference) -> bytes:
    """Return the attributes as the DER SET that is signed; the time stands in the signature dictionary's M."""
    hash_algorithm = b"" if suite.digest_oid == SHA256 else der.sequence(der.write_oid(suite.digest_oid))
    ess = der.sequence(
        der.sequence(der.sequence(hash_algorithm, der.write_octets(suite.digest(certificate))))
    )
    reference = der.sequence(
        der.write_integer(1),
        der.write_text(der.UTF8_STRING, seal.seal_id),
        der.write_text(der.UTF8_STRING, seal.seal_name),
    )
    values = (
        (CONTENT_TYPE, der.write_oid(_DATA)),
        (MESSAGE_DIGEST, der.write_octets(data_hash)),
        (SIGNING_CERTIFICATE, ess),
        (SEAL_REFERENCE, reference),
    )
    return der.set_of([der.sequence(der.write_oid(oid), der.write(der.SET, value)) for oid, value in values])


def write_message(
    suite: Suite,
    certificate: Certificate,
    chain: Sequence[bytes],
    attributes: bytes,
    signature: bytes,
    token: bytes | None,
) -> bytes:
    """Return the ContentInfo; `token` becomes the unsigned signature-time-stamp attribute."""
    digest_algorithm = der.sequence(der.write_oid(suite.digest_oid))
    certificates = der.set_of([certificate.raw, *(each for each in chain if each != certificate.raw)])
    unsigned = b""
    if token is not None:
        value = der.sequence(der.write_oid(TIMESTAMP_TOKEN), der.write(der.SET, token))
        unsigned = der.write(0xA1, value)
    signer = der.sequence(
        der.write_integer(1),
        der.sequence(certificate.issuer_raw, der.write_integer(certificate.serial)),
        digest_algorithm,
        b"\xa0" + attributes[1:],
        suite.algorithm_der,
        der.write_octets(signature),
        unsigned,
    )
    signed = der.sequence(
        der.write_integer(1),
        der.write(der.SET, digest_algorithm),
        der.sequence(der.write_oid(_DATA)),
        b"\xa0" + certificates[1:],
        der.write(der.SET, signer),
    )
    return der.sequence(der.write_oid(SIGNED_DATA), der.explicit(0, signed))


def read_message(contents: bytes) -> Message:
    """Return the message in a Contents string: strict DER, then only zeros.

    Raises:
        DerError: It is anything else, or has content of its own, or another number of signers than one.
    """
    try:
        return _message(der.read(unpadded(contents), der.SEQUENCE))
    except (IndexError, ValueError) as error:
        raise DerError(str(error)) from None


def unpadded(contents: bytes) -> bytes:
    """Return the DER element that the string starts with. Raises DerError where more than zeros follow it."""
    if len(contents) < 4 or contents[0] != der.SEQUENCE:
        raise DerError("not a SEQUENCE")
    head, length = 2, contents[1]
    if length & 0x80:
        head += length & 0x7F
        length = int.from_bytes(contents[2:head], "big")
    if contents[head + length :].strip(b"\x00"):
        raise DerError("bytes after the message")
    return contents[: head + length]


def _message(outer: Tlv) -> Message:
    kind, wrapped = der.children(outer)
    if der.oid(kind) != SIGNED_DATA:
        raise DerError("not SignedData")
    (signed,) = der.children(der.expect(wrapped, 0xA0))
    version, digests, content, *optional, signers = der.children(signed)
    parts = der.children(content)
    if len(parts) != 1 or der.oid(parts[0]) != _DATA:
        raise DerError("the message is not detached")
    certificates = tuple(
        each.raw
        for part in optional
        if part.tag == 0xA0
        for each in der.children(part)
        if each.tag == der.SEQUENCE
    )
    (signer,) = der.children(der.expect(signers, der.SET))
    signer_version, sid, digest, attributes, algorithm, signature, *rest = der.children(signer)
    if not {der.integer(version), der.integer(signer_version)} <= _VERSIONS:
        raise DerError("version")
    if digest.raw not in {each.raw for each in der.children(der.expect(digests, der.SET))}:
        raise DerError("two digest methods")
    leaf, readable = _leaf(sid, certificates)
    return Message(
        digest_oid=der.oid(der.children(digest)[0]), certificates=certificates, signer=leaf,
        signer_is_readable=readable,
        attributes_set=b"\x31" + der.expect(attributes, 0xA0).raw[1:], attributes=_values(attributes),
        algorithm=der.oid(der.children(algorithm)[0]), signature=der.octets(signature),
        token=_token(rest),
    )  # fmt: skip


def _leaf(sid: Tlv, certificates: Sequence[bytes]) -> tuple[Certificate | None, bool]:
    """Return the one certificate that the signer is named by, and whether all certificates could be read."""
    found, readable = [], True
    for data in certificates:
        try:
            certificate = read_certificate(data)
        except CertificateError:
            readable = False
            continue
        names = {
            der.sequence(certificate.issuer_raw, der.write_integer(certificate.serial)),
            der.write(0x80, certificate.subject_key_id or b""),
        }
        if sid.raw in names and certificate not in found:
            found.append(certificate)
    return (found[0] if len(found) == 1 else None), readable


def _values(attributes: Tlv) -> dict[str, Tlv]:
    found: dict[str, Tlv] = {}
    for attribute in der.children(attributes):
        name, values = der.children(attribute)
        if der.oid(name) in found:
            raise DerError("an attribute stands twice")
        kept = der.children(der.expect(values, der.SET))
        if len(kept) != 1:
            raise DerError("an attribute with several values")
        found[der.oid(name)] = kept[0]
    return found


def _token(rest: Sequence[Tlv]) -> bytes | None:
    for part in rest:
        token = _values(der.expect(part, 0xA1)).get(TIMESTAMP_TOKEN)
        if token is not None:
            return token.raw
    return None


def names_certificate(message: Message, suite: Suite) -> bool | None:
    """Return whether signing-certificate-v2 names the signer's certificate; None where the attribute is absent."""
    value = message.attributes.get(SIGNING_CERTIFICATE)
    if value is None:
        return None
    if message.signer is None:
        return False
    try:
        parts = der.children(der.children(der.children(value)[0])[0])
        method = SHA256
        if parts[0].tag == der.SEQUENCE:
            method = der.oid(der.children(parts.pop(0))[0])
        return method == suite.digest_oid and der.octets(parts[0]) == suite.digest(message.signer.raw)
    except (DerError, IndexError):
        return False


def seal_reference(message: Message) -> SealReference | None:
    """Return the seal that the signature names, if it names one. Raises DerError for an attribute misspelt."""
    value = message.attributes.get(SEAL_REFERENCE)
    if value is None:
        return None
    parts = der.children(value)
    if len(parts) != 3 or der.integer(parts[0]) != 1:
        raise DerError("seal reference")
    return SealReference(der.text(parts[1], der.UTF8_STRING), der.text(parts[2], der.UTF8_STRING))

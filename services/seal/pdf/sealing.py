"""Sealing a PDF as PAdES baseline B-B, B-T or B-LT (EN 319 142-1): one incremental update, older bytes untouched.

A companion to the OFD seal: the signature is ECDSA on P-256 by the seal's PDF credential, and a signed attribute
names the seal. At B-LT the security store is written in the same revision and so is signed itself; nothing
follows the signature.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from services.seal.domain.certificates import Certificate, CertificateError, read_certificate, read_crl
from services.seal.domain.placing import Placement
from services.seal.domain.sealing import SealedDocument
from services.seal.domain.structures import Picture
from services.seal.domain.suite import ECDSA_WITH_SHA256, SigningKey, Suite
from services.seal.pdf import fields
from services.seal.pdf.admission import open_for_sealing, refusal
from services.seal.pdf.apart import admit_apart
from services.seal.pdf.cms import SealReference, signed_attributes, write_message
from services.seal.pdf.facts import PdfFacts
from services.seal.pdf.opening import Unreadable, open_pdf, parsing
from services.seal.pdf.pages import Spot, locate, read_pages
from services.seal.pdf.reasons import (
    PDF_CREDENTIAL_REFUSED,
    PDF_LEVEL_INCOMPLETE,
    PDF_ONE_STAMP_ONLY,
    PDF_TIMESTAMP_REFUSED,
)
from services.seal.pdf.stamp import Stamp, prepare_stamp

_MESSAGE_BYTES = 1 << 10  # what a message takes besides certificates and token


class Level(Enum):
    """The PAdES baseline level: signature; with a timestamp; with what is needed to check it later."""

    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"


@dataclass(frozen=True, slots=True)
class PdfSeal:
    """A seal with its PDF credential, ready to seal many documents: checked and its picture packed once."""

    suite: Suite
    key: SigningKey
    certificate: Certificate
    chain: tuple[bytes, ...]
    reference: SealReference
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ValidationData:
    """What B-LT keeps in the document: DER certificates (also the time authority's) and revocation lists."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PdfSealing:
    """How to seal: level, timestamp source, validation data, and what the signature panel shows."""

    level: Level = Level.B_B
    timestamp: Callable[[bytes], bytes] | None = None
    validation: ValidationData = field(default_factory=ValidationData)
    token_bytes: int = 8 << 10
    """Room kept for the timestamp token."""
    reason: str = ""
    location: str = ""


def prepare_pdf_seal(
    suite: Suite,
    key: SigningKey,
    certificate: bytes,
    chain: Sequence[bytes],
    seal_id: str,
    seal_name: str,
    picture: Picture,
) -> PdfSeal:
    """Return the seal ready for use by the holder of `certificate`; `chain` goes into every signature.

    Raises:
        PDF_CREDENTIAL_REFUSED: Not ECDSA on P-256, a certificate of another key, or one that may not sign.
        PDF_STAMP_REFUSED: The picture does not decode within bounds.
    """
    if suite.signature_oid != ECDSA_WITH_SHA256:
        raise PDF_CREDENTIAL_REFUSED(why="suite")
    try:
        parsed = read_certificate(certificate)
        kept = tuple(read_certificate(each).raw for each in chain)
    except CertificateError:
        raise PDF_CREDENTIAL_REFUSED(why="certificate") from None
    if parsed.public_key != key.public_key or parsed.curve_oid != suite.curve_oid:
        raise PDF_CREDENTIAL_REFUSED(why="key")
    if not parsed.may("digital_signature", "non_repudiation"):
        raise PDF_CREDENTIAL_REFUSED(why="keyUsage")
    return PdfSeal(suite, key, parsed, kept, SealReference(seal_id, seal_name), prepare_stamp(picture))


def seal_pdf(
    document: bytes,
    seal: PdfSeal,
    placements: Sequence[Placement],
    signed_at: datetime,
    how: PdfSealing = PdfSealing(),
    admit: Callable[[bytes], PdfFacts] | None = admit_apart,
) -> SealedDocument:
    """Return the PDF with one more signature; earlier signatures stay valid.

    The first placement is the signature's own appearance, further ones are locked stamp annotations under the
    same signature. A document that is sealed already takes one placement only: more annotations would break
    the earlier seals. Without placements nothing is seen. `data_hash` is the digest of the signed byte range,
    `signature_path` the field's name.

    A riding seal (骑缝章) is `domain.placing.riding_seal` of the page sizes, which `admit_apart(document).pages`
    answers.

    `admit` judges the document first, by default in a bounded process; None checks the same rules in this one,
    for documents that we made ourselves.

    Raises:
        PDF_MALFORMED, PDF_ENCRYPTED, PDF_ACTIVE, PDF_TOO_COMPLEX: The document is not one that gets a seal.
        PDF_CHANGES_FORBIDDEN, PDF_ONE_STAMP_ONLY: Its earlier signatures do not admit this one.
        PDF_PAGE_MISSING, STAMP_OUTSIDE_PAGE: A placement is not on a page.
        PDF_CREDENTIAL_REFUSED: `signed_at` is outside the certificate's validity.
        PDF_LEVEL_INCOMPLETE, PDF_TIMESTAMP_REFUSED: The level lacks its data, or the token is of another value.
        PEER_UNAVAILABLE: No process to judge the document in can be had.
    """
    signed_at = signed_at.replace(microsecond=0)
    if not seal.certificate.valid_at(signed_at):
        raise PDF_CREDENTIAL_REFUSED(why="validity")
    _complete(how)
    try:
        reader = _opened(document, admit)
        with parsing():
            pages = read_pages(reader)
            spots = [locate(each, pages) for each in placements]
            if len(spots) > 1 and fields.has_signatures(reader):
                raise PDF_ONE_STAMP_ONLY()
            prepared = _prepare(reader, seal, spots, signed_at, how)
    except Unreadable as problem:
        raise refusal(problem.kind, problem.detail) from None
    return _finish(prepared, seal, signed_at, how)


def _opened(document: bytes, admit: Callable[[bytes], PdfFacts] | None) -> PdfFileReader:
    if admit is None:
        return open_for_sealing(document)
    facts = admit(document)
    if facts.problem:
        raise Unreadable(facts.problem, facts.detail)
    return open_pdf(document)


def _complete(how: PdfSealing) -> None:
    if how.level is not Level.B_B and how.timestamp is None:
        raise PDF_LEVEL_INCOMPLETE(what="timestamp")
    if how.level is Level.B_LT:
        if not how.validation.certificates or not how.validation.crls:
            raise PDF_LEVEL_INCOMPLETE(what="certificates, crls")
        try:
            list(map(read_certificate, how.validation.certificates))
            list(map(read_crl, how.validation.crls))
        except CertificateError:
            raise PDF_LEVEL_INCOMPLETE(what="certificates, crls") from None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The document as it will leave, but for the message; `steps` takes that and writes it in."""

    field_name: str
    data_hash: bytes
    steps: Any
    output: io.BytesIO


def _prepare(
    reader: PdfFileReader, seal: PdfSeal, spots: Sequence[Spot], signed_at: datetime, how: PdfSealing
) -> _Prepared:
    writer: Any = IncrementalPdfFileWriter.from_reader(reader)
    name = fields.fresh_name(reader)
    spec = fields.field_spec(name, spots, seal.reference.seal_name)
    steps: Any = PdfCMSEmbedder(new_field_spec=spec).write_cms(name, writer)
    field_reference = next(steps)
    fields.show(writer, field_reference, seal.stamp, spots)
    if how.level is Level.B_LT:
        fields.keep(writer, how.validation.certificates, how.validation.crls)
    steps.send(SigObjSetup(sig_placeholder=_placeholder(seal, signed_at, how)))
    written, output = steps.send(SigIOSetup(md_algorithm="sha256", output=io.BytesIO()))
    return _Prepared(name, written.document_digest, steps, output)


def _finish(prepared: _Prepared, seal: PdfSeal, signed_at: datetime, how: PdfSealing) -> SealedDocument:
    """Sign and write the message in; what the key or the time source raises is theirs."""
    message, signature = _sign(seal, prepared.data_hash, how)
    prepared.steps.send(message)
    data = prepared.output.getvalue()
    return SealedDocument(
        data=data,
        document_digest=seal.suite.digest(data),
        data_hash=prepared.data_hash,
        signature_digest=seal.suite.digest(signature),
        signature_path=prepared.field_name,
        seal_id=seal.reference.seal_id,
        signed_at=signed_at,
    )


def _placeholder(seal: PdfSeal, signed_at: datetime, how: PdfSealing) -> Any:
    room = _MESSAGE_BYTES + len(seal.certificate.raw) + sum(map(len, seal.chain))
    room += how.token_bytes if how.level is not Level.B_B else 0
    return SignatureObject(
        timestamp=signed_at,
        subfilter=SigSeedSubFilter.PADES,
        name=seal.reference.seal_name,
        location=how.location or None,
        reason=how.reason or None,
        bytes_reserved=2 * room,
    )


def _sign(seal: PdfSeal, data_hash: bytes, how: PdfSealing) -> tuple[bytes, bytes]:
    attributes = signed_attributes(seal.suite, seal.certificate.raw, data_hash, seal.reference)
    signature = seal.key.sign(attributes)
    token = None
    if how.level is not Level.B_B and how.timestamp is not None:
        token = how.timestamp(signature)
        if seal.suite.digest(signature) not in token:
            raise PDF_TIMESTAMP_REFUSED(why="imprint")
        if len(token) > how.token_bytes:
            raise PDF_TIMESTAMP_REFUSED(why="size")
    return write_message(seal.suite, seal.certificate, seal.chain, attributes, signature, token), signature

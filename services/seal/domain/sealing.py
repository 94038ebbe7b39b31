"""Making seals and sealing OFD documents with them (GB/T 38540-2020 clause 7, GB/T 33190 clause 18).

Each step fixes bytes that the next one digests: OFD.xml, the list of signatures, Seal.esl, the references,
Signature.xml, and last the signed value. No XML is parsed again after it was digested.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, declare
from services.seal.domain import ofd
from services.seal.domain.certificates import Certificate, CertificateError, read_certificate
from services.seal.domain.ofd.editing import Located, locate_signatures, signature_list, signature_xml
from services.seal.domain.structures import (
    Seal,
    SealFields,
    StructureError,
    read_seal,
    signature_tbs,
    signature_value,
    write_seal,
    write_seal_info,
)  # fmt: skip
from services.seal.domain.suite import SigningKey, Suite

SEAL_MALFORMED = declare(
    "SEAL_MALFORMED", Kind.INVALID_ARGUMENT, "印章数据无法解析", "The seal cannot be read"
)
SEAL_NOT_USABLE = declare(
    "SEAL_NOT_USABLE", Kind.FAILED_PRECONDITION, "印章不可用于签章：{why}", "The seal cannot be used: {why}"
)
OFD_REFUSED = declare(
    "OFD_REFUSED", Kind.INVALID_ARGUMENT, "OFD 文件不符合要求：{why}", "The OFD document is refused: {why}"
)
OFD_ALREADY_SEALED = declare(
    "OFD_ALREADY_SEALED", Kind.FAILED_PRECONDITION, "文件已签章", "The document is sealed already"
)
STAMP_OUTSIDE_PAGE = declare(
    "STAMP_OUTSIDE_PAGE", Kind.INVALID_ARGUMENT, "印章位置超出页面", "The stamp lies outside its page"
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where to stamp: page number from 1, box in millimetres from the page's top left, visible part of the box."""

    page: int
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float
    clip_mm: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class SealInUse:
    """A seal with its user's key, ready to seal many documents: parsed, checked and digested once."""

    suite: Suite
    key: SigningKey
    certificate: bytes
    seal: Seal
    member: ofd.Member
    check_value: str


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """A sealed package with what a ledger keeps of it; every digest is the suite's, 32 bytes."""

    data: bytes
    document_digest: bytes
    data_hash: bytes
    signature_digest: bytes
    signature_path: str
    seal_id: str
    signed_at: datetime


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
    return SealInUse(suite, key, certificate, parsed, member, _check_value(suite, seal))


def seal_document(
    document: bytes,
    seal: SealInUse,
    placements: Sequence[Placement],
    signed_at: datetime,
    timestamp: Callable[[bytes], bytes] | None = None,
) -> SealedDocument:
    """Return the unsigned OFD package sealed in whole-protect mode: every file is referenced, no seal can follow.

    `timestamp` turns the signature value into an RFC 3161 token. The same input gives the same bytes but for the
    signature itself.

    Raises:
        OFD_REFUSED: The package is not strictly sound, or names files it does not hold.
        OFD_ALREADY_SEALED: It has signatures.
        STAMP_OUTSIDE_PAGE: A placement lies outside its page, or its page does not exist.
        SEAL_NOT_USABLE: `signed_at` lies outside the validity of the seal or the certificate.
    """
    signed_at = signed_at.replace(microsecond=0)
    _usable_at(seal, signed_at)
    package, view = _open(document)
    located = _located(package)
    stamps = [_stamp(placement, list(view.pages.values())) for placement in placements]
    members = _members(package, located, seal, len(stamps))
    references = [(f"/{member.name}", value) for member, value in members]
    xml = signature_xml(seal.suite, signed_at, references, stamps, located)
    data_hash = seal.suite.digest(xml)
    value, signature = _sign(seal, signed_at, data_hash, located, timestamp)
    data = ofd.write_package(
        [
            *(member for member, _ in members),
            ofd.new_member(located.signature_path, xml),
            ofd.new_member(located.value_path, value),
        ]
    )
    digest = seal.suite.digest
    return SealedDocument(
        data, digest(data), data_hash, digest(signature), located.signature_path, seal.seal.seal_id, signed_at
    )


def riding_seal(
    pages: int, page_width_mm: float, y_mm: float, width_mm: float, height_mm: float
) -> list[Placement]:
    """Return the placements of a riding seal (骑缝章) on the right edge: one slice of the imprint per page."""
    piece = width_mm / pages
    return [
        Placement(
            index + 1,
            page_width_mm - (index + 1) * piece,
            y_mm,
            width_mm,
            height_mm,
            (index * piece, 0.0, piece, height_mm),
        )
        for index in range(pages)
    ]


def _usable_at(seal: SealInUse, signed_at: datetime) -> None:
    parsed = seal.seal
    if not max(parsed.valid_from, parsed.created_at) <= signed_at <= parsed.valid_until:
        raise SEAL_NOT_USABLE(why="validity")
    if not read_certificate(seal.certificate).valid_at(signed_at):
        raise SEAL_NOT_USABLE(why="certificate")


def _open(document: bytes) -> tuple[ofd.Package, ofd.DocumentView]:
    try:
        package = ofd.read_package(document)
        view = ofd.view_document(package)
    except (ofd.PackageError, ofd.XmlError) as error:
        raise OFD_REFUSED(why=error) from None
    if view.signatures or view.signature_lists:
        raise OFD_ALREADY_SEALED()
    if view.problems or view.dangling or view.bodies != 1:
        raise OFD_REFUSED(why=next(iter(view.problems or sorted(view.dangling)), "DocBody"))
    return package, view


def _located(package: ofd.Package) -> Located:
    try:
        return locate_signatures(package)
    except ofd.XmlError as error:
        raise OFD_REFUSED(why=error) from None


def _members(
    package: ofd.Package, located: Located, seal: SealInUse, stamp_count: int
) -> list[tuple[ofd.Member, str]]:
    """Return every file to be protected with its check value; unchanged files keep their packed form."""
    suite = seal.suite
    changed = {
        "OFD.xml": located.root_xml,
        located.list_path: signature_list(located, stamp_count),
    }
    kept = [member for member in package.members if member.name not in changed]
    fresh = [ofd.new_member(name, data) for name, data in changed.items()]
    found = [(member, _check_value(suite, member.data)) for member in (*kept, *fresh)]
    stored = seal.member
    own = ofd.Member(located.seal_path, stored.data, stored.method, stored.packed, stored.crc32)
    return [*found, (own, seal.check_value)]


def _stamp(placement: Placement, pages: list[ofd.Page]) -> ofd.Stamp:
    if not 1 <= placement.page <= len(pages):
        raise STAMP_OUTSIDE_PAGE()
    page = pages[placement.page - 1]
    box = (placement.x_mm, placement.y_mm, placement.width_mm, placement.height_mm)
    stamp = ofd.Stamp(page.page_id, box, placement.clip_mm)
    if not stamp.lies_on(page):
        raise STAMP_OUTSIDE_PAGE()
    return stamp


def _sign(
    seal: SealInUse,
    signed_at: datetime,
    data_hash: bytes,
    located: Located,
    timestamp: Callable[[bytes], bytes] | None,
) -> tuple[bytes, bytes]:
    tbs = signature_tbs(seal.seal.raw, signed_at, data_hash, f"/{located.signature_path}")
    signature = seal.key.sign(tbs)
    token = timestamp(signature) if timestamp else None
    return signature_value(tbs, seal.certificate, seal.suite.signature_oid, signature, token), signature


def _matching(certificate: bytes, key: SigningKey, suite: Suite) -> None:
    parsed = _readable(certificate)
    if parsed.public_key != key.public_key or parsed.curve_oid != suite.curve_oid:
        raise SEAL_NOT_USABLE(why="key")


def _readable(certificate: bytes) -> Certificate:
    try:
        return read_certificate(certificate)
    except CertificateError:
        raise SEAL_NOT_USABLE(why="certificate") from None


def _check_value(suite: Suite, data: bytes) -> str:
    return base64.b64encode(suite.digest(data)).decode("ascii")

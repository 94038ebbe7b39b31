"""Sealing an OFD document.

Each step fixes bytes that the next one digests: OFD.xml, the list of signatures, Seal.esl, the references,
Signature.xml, and last the signed value. No XML is parsed again after it was digested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.seal.domain import ofd
from services.seal.domain.ofd.editing import Located, locate_signatures, signature_xml
from services.seal.domain.placing import Placement, stamp_on
from services.seal.domain.sealing.opening import OFD_REFUSED, Protect, open_for_sealing
from services.seal.domain.sealing.seals import SealInUse, check_value
from services.seal.domain.structures import signature_tbs, signature_value
from services.seal.domain.suite import Suite


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """A sealed package with what a ledger keeps of it; every digest is the suite's, 32 bytes.

    `signature_count` is how many signatures the package now carries: in continue mode only a register of that
    number shows that the last one was taken away.
    """

    data: bytes
    document_digest: bytes
    data_hash: bytes
    signature_digest: bytes
    signature_path: str
    seal_id: str
    signed_at: datetime
    signature_count: int = 1


def seal_document(
    document: bytes,
    seal: SealInUse,
    placements: Sequence[Placement],
    signed_at: datetime,
    timestamp: Callable[[bytes], bytes] | None = None,
    mode: Protect = Protect.WHOLE,
) -> SealedDocument:
    """Return the OFD package with one more signature that references every file there is.

    In whole mode the list of signatures is referenced too, so that no seal can follow; in continue mode further
    ones may, each protecting those before it, until one in whole mode closes the document. `timestamp` turns the
    signature value into an RFC 3161 token. The same input gives the same bytes but for the signature itself.

    Raises:
        OFD_REFUSED: The package is not strictly sound, or names files it does not hold.
        OFD_ALREADY_SEALED: It has a signature in whole mode.
        OFD_TOO_MANY_SIGNATURES: It has as many signatures as may be.
        OFD_SIGNATURE_BROKEN: One of its signatures does not hold.
        STAMP_OUTSIDE_PAGE: A placement lies outside its page, or its page does not exist.
        SEAL_NOT_USABLE: `signed_at` lies outside the validity of the seal or the certificate.
    """
    signed_at = signed_at.replace(microsecond=0)
    seal.refuse_at(signed_at)
    package, view, carried = open_for_sealing(document, seal.suite, seal.seal.maker_certificate)
    pages = list(view.pages.values())
    stamps = [stamp_on(placement, pages) for placement in placements]
    located = _located(package, view, carried, len(stamps))
    members = _members(package, located, seal)
    protected = [each for each in members if mode is Protect.WHOLE or each[0].name != located.list_path]
    references = [(f"/{member.name}", value) for member, value in protected]
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
        data, digest(data), data_hash, digest(signature), located.signature_path, seal.seal.seal_id, signed_at,
        len(carried) + 1,
    )  # fmt: skip


def _located(
    package: ofd.Package, view: ofd.DocumentView, carried: list[ofd.SignatureFile], stamp_count: int
) -> Located:
    try:
        return locate_signatures(package, view, carried, stamp_count)
    except ofd.XmlError as error:
        raise OFD_REFUSED(why=error) from None


def _members(package: ofd.Package, located: Located, seal: SealInUse) -> list[tuple[ofd.Member, str]]:
    """Return every file to be protected with its check value; unchanged files keep their packed form."""
    suite: Suite = seal.suite
    kept = [member for member in package.members if member.name not in located.changed]
    fresh = [ofd.new_member(name, data) for name, data in located.changed.items()]
    found = [(member, check_value(suite, member.data)) for member in (*kept, *fresh)]
    stored = seal.member
    own = ofd.Member(located.seal_path, stored.data, stored.method, stored.packed, stored.crc32)
    return [*found, (own, seal.check_value)]


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

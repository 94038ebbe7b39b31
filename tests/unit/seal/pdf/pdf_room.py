"""What the PDF tests share: a P-256 PKI, plain PDFs, seals for them, and verification in short. Not a test module."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

import pikepdf
import pytest

from services.seal.domain.certificates import Profile
from services.seal.domain.pki import (
    TIME_STAMPING,
    Credential,
    DevelopmentPki,
    certify,
    make_crl,
    make_development_pki,
)
from services.seal.domain.placing import Placement
from services.seal.domain.sealing import SealedDocument
from services.seal.domain.suite import ECDSA_WITH_SHA256, Suite
from services.seal.domain.timestamps import make_token
from services.seal.domain.verification import Evidence
from services.seal.pdf import (
    Companion,
    Level,
    PdfSeal,
    PdfSealing,
    ValidationData,
    examine,
    prepare_pdf_seal,
    seal_pdf,
    verify_pdf,
)
from services.seal.pdf.cms import unpadded
from tests.unit.seal import sealing_room
from tests.unit.seal.sealing_room import AUTHORITY, NOW, SEAL_ID, Outcome, make, outcome, picture, suites

SEAL_NAME = f"{AUTHORITY}电子印章"
OTHER = "玉山县消防救援大队"
PLACE = Placement(1, 120.0, 200.0, 42.0, 42.0)
CORNER = Placement(1, 10.0, 10.0, 42.0, 42.0)
LATER = NOW + timedelta(minutes=5)
BYTE_RANGE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]( *)")
SIGNING = frozenset({"digital_signature", "non_repudiation"})


@lru_cache(maxsize=1)
def p256() -> Suite:
    found = suites().by_signature(ECDSA_WITH_SHA256)
    assert found is not None
    return found


@lru_cache(maxsize=1)
def pki() -> DevelopmentPki:
    return make_development_pki(p256(), [AUTHORITY, OTHER], NOW - timedelta(days=100))


@lru_cache(maxsize=1)
def time_authority() -> Credential:
    profile = Profile(SIGNING, extended_usages=(TIME_STAMPING,))
    return certify(p256(), pki().root, "时间戳", profile, NOW - timedelta(days=90), NOW + timedelta(days=900))


@lru_cache(maxsize=1)
def crls() -> tuple[bytes, ...]:
    room = pki()
    return tuple(make_crl(p256(), ca, {}, 2, NOW - timedelta(days=1)) for ca in (room.root, room.signer_ca))


def stamped_at(moment: datetime = NOW, authority: Credential | None = None):
    """Return a timestamp source that always says `moment`."""
    by = authority or time_authority()

    def timestamp(signature: bytes) -> bytes:
        key = p256().open_key(by.private_key)
        imprint = p256().digest(signature)
        return make_token(p256(), key, by.certificate, imprint, 1, moment, "1.2.3.4")

    return timestamp


def seal_of(credential: Credential, seal_id: str = SEAL_ID, name: str = SEAL_NAME) -> PdfSeal:
    key = p256().open_key(credential.private_key)
    chain = (pki().signer_ca.certificate,)
    return prepare_pdf_seal(p256(), key, credential.certificate, chain, seal_id, name, picture())


@lru_cache(maxsize=1)
def seal() -> PdfSeal:
    return seal_of(pki().signers[AUTHORITY])


@lru_cache(maxsize=1)
def other_seal() -> PdfSeal:
    return seal_of(pki().signers[OTHER], "36110300000002", f"{OTHER}电子印章")


def how(level: Level = Level.B_B, **changed: object) -> PdfSealing:
    kept = (*pki().intermediates, *pki().anchors, time_authority().certificate)
    full = PdfSealing(
        level=level, timestamp=None if level is Level.B_B else stamped_at(),
        validation=ValidationData(kept, crls()) if level is Level.B_LT else ValidationData(),
        reason="加盖电子印章", location="广丰区",
    )  # fmt: skip
    return replace(full, **changed)


def plain_pdf(pages: int = 1, *, streams: bool = False, rotate: int = 0, text: str = "plain words") -> bytes:
    """Return an A4 document, its cross-references a table or, with `streams`, streams."""
    document = pikepdf.new()
    for number in range(pages):
        page = document.add_blank_page(page_size=(595.276, 841.89))
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.Contents = document.make_stream(f"BT /F1 24 Tf 72 700 Td ({text} {number}) Tj ET".encode())
        if rotate:
            page.Rotate = rotate
    return saved(document, streams=streams)


def saved(document: pikepdf.Pdf, *, streams: bool = False) -> bytes:
    target = io.BytesIO()
    mode = pikepdf.ObjectStreamMode.generate if streams else pikepdf.ObjectStreamMode.disable
    document.save(target, object_stream_mode=mode, compress_streams=streams)
    return target.getvalue()


def sealed(level: Level = Level.B_B, document: bytes | None = None, **given: object) -> SealedDocument:
    by = given.pop("by", None) or seal()
    places = given.pop("places", (PLACE,))
    at = given.pop("at", NOW)
    return seal_pdf(plain_pdf() if document is None else document, by, places, at, how(level, **given), None)


@lru_cache(maxsize=1)
def registered_seal() -> bytes:
    """Return the GB/T 38540 seal that the PDF credential accompanies, of the same development authority."""
    return make()


def companion(seal_id: str) -> Companion | None:
    """Return what the register knows of the two seals."""
    signers = {SEAL_ID: AUTHORITY, "36110300000002": OTHER}
    if seal_id not in signers:
        return None
    whole = registered_seal() if seal_id == SEAL_ID else None
    return Companion((pki().signers[signers[seal_id]].certificate,), whole)


def evidence(**changed: object) -> Evidence:
    """Return what a verifier knows an hour later: both PKIs, current lists, every seal active."""
    sm2 = sealing_room.evidence()
    known = replace(
        sm2, anchors=(*sm2.anchors, *pki().anchors), intermediates=(*sm2.intermediates, *pki().intermediates),
        crls=(*sm2.crls, *crls()),
    )  # fmt: skip
    return replace(known, **changed)


def judge(document: bytes, known: Evidence | None = None, index: int = 0, lookup=companion) -> Outcome:
    """Verify in this process, in the shape tests compare."""
    return outcome(verify_pdf(document, known or evidence(), lookup, examine), index)


@lru_cache(maxsize=1)
def twin() -> bytes:
    document = sealed(Level.B_T).data
    outcome = judge(document)
    assert (outcome.verdict, outcome.failed(), outcome.unsettled()) == ("VALID", {}, {})
    return document


@pytest.fixture
def sound_twin() -> None:
    """Prove that the document of the negatives, not falsified, is valid."""
    twin()


def put_in(document: bytes, change) -> bytes:
    """Return the document with its message changed, the hex string of the same length."""
    (one,) = examine(document).signatures
    message = change(unpadded(one.contents))
    _, first, second, _ = one.byte_range
    room = (second - first - 2) // 2
    return document[: first + 1] + message.ljust(room, b"\x00").hex().encode() + document[second - 1 :]


def flipped(document: bytes, offset: int) -> bytes:
    return document[:offset] + bytes([document[offset] ^ 1]) + document[offset + 1 :]


def registered(*certificates: bytes, whole: bytes | None = None):
    return lambda _seal_id: Companion(certificates, whole)

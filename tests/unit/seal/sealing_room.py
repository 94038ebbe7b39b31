"""What the seal tests share: one development PKI, one seal, and a tiny OFD builder. Not a test module."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from services.seal.domain import imprint
from services.seal.domain.ofd import new_member, write_package
from services.seal.domain.pki import Credential, DevelopmentPki, make_development_pki
from services.seal.domain.sealing import (
    Placement,
    SealedDocument,
    SealInUse,
    make_seal,
    prepare_seal,
    seal_document,
)
from services.seal.domain.structures import SealFields
from services.seal.domain.suite import ECDSA_WITH_SHA256, SM2_WITH_SM3, Suite, Suites
from services.seal.domain.verification import CheckName, DocumentReport, Evidence, SealState, verify_document
from services.seal.providers import load_suites

NOW = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
AUTHORITY = "广丰区市场监督管理局"
SEAL_ID = "36110300000001"
_XMLNS = 'xmlns:ofd="http://www.ofdspec.org/2016"'
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
PLACE = Placement(1, 130.0, 220.0, 42.0, 42.0)


@lru_cache(maxsize=1)
def suites() -> Suites:
    return load_suites()


def p256() -> Suite:
    found = suites().by_signature(ECDSA_WITH_SHA256)
    assert found is not None
    return found


def sm2() -> Suite:
    found = suites().by_signature(SM2_WITH_SM3)
    assert found is not None
    return found


@lru_cache(maxsize=1)
def pki() -> DevelopmentPki:
    return make_development_pki(sm2(), [AUTHORITY, "玉山县消防救援大队"], NOW - timedelta(days=100))


@lru_cache(maxsize=1)
def crls() -> tuple[bytes, ...]:
    from services.seal.domain.pki import make_crl

    room = pki()
    return tuple(
        make_crl(sm2(), ca, {}, 2, NOW - timedelta(days=1))
        for ca in (room.root, room.maker_ca, room.signer_ca)
    )


def seal_fields(**changed: object) -> SealFields:
    fields = SealFields(
        vendor_id="tongban", seal_id=SEAL_ID, kind=1, name=f"{AUTHORITY}电子印章",
        certificates=(signer().certificate,), created_at=NOW - timedelta(days=90),
        valid_from=NOW - timedelta(days=90), valid_until=NOW + timedelta(days=900), picture=picture(),
    )  # fmt: skip
    return replace(fields, **changed)


@lru_cache(maxsize=1)
def picture():
    return imprint.round_seal(AUTHORITY)


def signer() -> Credential:
    return pki().signers[AUTHORITY]


def make(fields: SealFields | None = None, maker: Credential | None = None) -> bytes:
    maker = maker or pki().maker
    return make_seal(sm2(), sm2().open_key(maker.private_key), maker.certificate, fields or seal_fields())


@lru_cache(maxsize=1)
def seal_der() -> bytes:
    return make()


@lru_cache(maxsize=1)
def seal_in_use() -> SealInUse:
    return prepare_seal(sm2(), seal_der(), signer().certificate, sm2().open_key(signer().private_key))


def ofd_files(pages: int = 1) -> dict[str, bytes]:
    entries = "".join(f'<ofd:Page ID="{n + 1}" BaseLoc="Pages/Page_{n}/Content.xml"/>' for n in range(pages))
    files = {
        "OFD.xml": f'{_HEAD}<ofd:OFD {_XMLNS} Version="1.1" DocType="OFD"><ofd:DocBody><ofd:DocInfo>'
        "<ofd:DocID>5e07a151ff9847bea6b5e12b9d7c6e9a</ofd:DocID></ofd:DocInfo>"
        "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>",
        "Doc_0/Document.xml": f"{_HEAD}<ofd:Document {_XMLNS}><ofd:CommonData><ofd:MaxUnitID>99</ofd:MaxUnitID>"
        "<ofd:PageArea><ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea>"
        f"<ofd:PublicRes>PublicRes.xml</ofd:PublicRes></ofd:CommonData><ofd:Pages>{entries}</ofd:Pages>"
        "<ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments></ofd:Document>",
        "Doc_0/PublicRes.xml": f'{_HEAD}<ofd:Res {_XMLNS} BaseLoc="Res"><ofd:Fonts><ofd:Font ID="3" FontName="Hei">'
        "<ofd:FontFile>hei.ttf</ofd:FontFile></ofd:Font></ofd:Fonts></ofd:Res>",
        "Doc_0/Res/hei.ttf": "not a real font, but a protected file",
        "Doc_0/Attachs/Attachments.xml": f'{_HEAD}<ofd:Attachments {_XMLNS}><ofd:Attachment ID="9" Name="data">'
        "<ofd:FileLoc>data.json</ofd:FileLoc></ofd:Attachment></ofd:Attachments>",
        "Doc_0/Attachs/data.json": '{"licence":"JY13611030000001"}',
    }
    for number in range(pages):
        files[f"Doc_0/Pages/Page_{number}/Content.xml"] = (
            f'{_HEAD}<ofd:Page {_XMLNS}><ofd:Content><ofd:Layer ID="2"><ofd:TextObject ID="4" Boundary="20 20 90 9" '
            'Font="3" Size="6"><ofd:TextCode X="0" Y="6">plain words of a licence</ofd:TextCode></ofd:TextObject>'
            "</ofd:Layer></ofd:Content></ofd:Page>"
        )
    return {name: text.encode() for name, text in files.items()}


def pack(files: dict[str, bytes]) -> bytes:
    return write_package([new_member(name, data) for name, data in files.items()])


def unpack(document: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(
    pages: int = 1, seal: SealInUse | None = None, at: datetime = NOW, places=(PLACE,)
) -> SealedDocument:
    return seal_document(pack(ofd_files(pages)), seal or seal_in_use(), list(places), at)


@lru_cache(maxsize=1)
def sealed_once() -> bytes:
    return sealed().data


def active(_seal_id: str, _at: datetime) -> SealState:
    return SealState.ACTIVE


def evidence(**changed: object) -> Evidence:
    room = pki()
    known = Evidence(
        suites=suites(), now=NOW + timedelta(hours=1), anchors=room.anchors, intermediates=room.intermediates,
        crls=crls(), own_makers=frozenset({room.maker.certificate}), seal_status=active,
    )  # fmt: skip
    return replace(known, **changed)


@dataclass(frozen=True)
class Outcome:
    """The answer in the shape tests compare: check → (result, reason)."""

    verdict: str
    checks: dict[str, tuple[str, str]]
    notes: tuple[str, ...]

    def failed(self) -> dict[str, str]:
        return {name: reason for name, (result, reason) in self.checks.items() if result == "invalid"}

    def unsettled(self) -> dict[str, str]:
        return {name: reason for name, (result, reason) in self.checks.items() if result == "indeterminate"}


def judge(document: bytes, known: Evidence | None = None) -> Outcome:
    return outcome(verify_document(document, known or evidence()))


def outcome(report: DocumentReport, index: int = 0) -> Outcome:
    if not report.signatures:
        container = report.container
        return Outcome(report.verdict.value, {"container": (container.result.value, container.reason)}, ())
    one = report.signatures[index]
    assert [check.name for check in one.checks] == list(CheckName)
    return Outcome(
        report.verdict.value,
        {check.name.value: (check.result.value, check.reason) for check in one.checks},
        tuple(note.zh + note.detail for note in one.notes),
    )

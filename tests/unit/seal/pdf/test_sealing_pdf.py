"""Sealing a PDF: what comes out, judged by ourselves, by pyHanko and by poppler; and what is refused."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import timedelta

import pikepdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore
from pyhanko.sign.validation import async_validate_pdf_signature as validate
from pyhanko_certvalidator import ValidationContext

from chassis.errors import Fault
from services.seal.domain.certificates import Profile
from services.seal.domain.pki import certify
from services.seal.domain.placing import Placement
from services.seal.domain.placing.riding import riding_seal
from services.seal.domain.suite import SM2_WITH_SM3
from services.seal.pdf import Level, PdfLimits, examine, prepare_pdf_seal, seal_pdf
from services.seal.pdf.admission import admit
from tests.stacks.needs import unavailable
from tests.unit.seal import sealing_room
from tests.unit.seal.pdf.pdf_room import (
    NOW,
    OTHER,
    PLACE,
    SEAL_ID,
    SEAL_NAME,
    how,
    judge,
    other_seal,
    p256,
    picture,
    pki,
    plain_pdf,
    saved,
    seal,
    seal_of,
    sealed,
    stamped_at,
)
from tests.unit.seal.sealing_room import suites

LATER = NOW + timedelta(minutes=5)
CORNER = Placement(1, 10.0, 10.0, 42.0, 42.0)


def embedded(document: bytes, index: int = 0):
    return PdfFileReader(io.BytesIO(document)).embedded_signatures[index]


def context(**more: object) -> ValidationContext:
    roots = [x509.Certificate.load(each) for each in pki().anchors]
    others = [x509.Certificate.load(each) for each in pki().intermediates]
    return ValidationContext(trust_roots=roots, other_certs=others, moment=NOW + timedelta(hours=1), **more)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("level", list(Level))
async def test_each_level_is_valid_to_us_and_to_pyhanko(level: Level, streams: bool) -> None:
    made = sealed(level, plain_pdf(2, streams=streams))
    outcome = judge(made.data)
    assert (outcome.verdict, outcome.failed(), outcome.unsettled()) == ("VALID", {}, {})
    assert outcome.checks["timestamp"][0] == ("not_applicable" if level is Level.B_B else "valid")
    status = await validate(embedded(made.data), context(), context())
    assert status.bottom_line
    assert (status.timestamp_validity is not None) == (level is not Level.B_B)


@pytest.mark.parametrize(("level", "suffices"), [(Level.B_T, False), (Level.B_LT, True)])
async def test_with_long_term_data_the_document_suffices_for_pyhanko(level: Level, suffices: bool) -> None:
    one = embedded(sealed(level).data)
    roots = [x509.Certificate.load(each) for each in pki().anchors]
    strict = {"trust_roots": roots, "moment": NOW, "revocation_mode": "require", "allow_fetching": False}
    if suffices:
        known = DocumentSecurityStore.read_dss(one.reader).as_validation_context(strict)
    else:
        known = ValidationContext(**strict, crls=[])
    status = await validate(one, known, known)
    assert status.bottom_line is suffices


@pytest.mark.parametrize("level", list(Level))
def test_each_level_is_valid_to_poppler(level: Level, tmp_path) -> None:
    if shutil.which("pdfsig") is None:
        unavailable("pdfsig (poppler-utils) is not installed")
    twice = sealed(level, sealed(level, plain_pdf(2)).data, by=other_seal(), places=(CORNER,), at=LATER)
    path = tmp_path / "sealed.pdf"
    path.write_bytes(twice.data)
    told = subprocess.run(
        ["pdfsig", str(path)], capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)}
    ).stdout
    assert told.count("Signature is Valid") == 2
    assert told.count("ETSI.CAdES.detached") == 2
    assert told.count("\n  - Total document signed") == 1


def test_what_the_ledger_keeps_is_of_the_bytes_that_left() -> None:
    made = sealed(Level.B_T)
    digest = p256().digest
    (one,) = examine(made.data).signatures
    _, first, second, length = one.byte_range
    assert made.document_digest == digest(made.data)
    assert made.data_hash == digest(made.data[:first] + made.data[second : second + length])
    assert (made.signature_path, made.seal_id, made.signed_at) == (one.field_name, SEAL_ID, NOW)


def test_the_older_bytes_stay_as_they_were() -> None:
    plain = plain_pdf()
    once = sealed(document=plain).data
    assert once.startswith(plain)
    assert sealed(document=once, by=other_seal(), places=(CORNER,), at=LATER).data.startswith(once)


def test_a_second_seal_leaves_the_first_valid() -> None:
    twice = sealed(Level.B_LT, sealed(Level.B_LT).data, by=other_seal(), places=(CORNER,), at=LATER).data
    first, second = judge(twice), judge(twice, index=1)
    assert (first.verdict, first.failed(), second.failed()) == ("VALID", {}, {})
    assert first.notes == ("其后仅有签章或验证数据",)


def test_validation_data_is_kept_once() -> None:
    once = sealed(Level.B_LT).data
    twice = sealed(Level.B_LT, once, by=other_seal(), places=(CORNER,), at=LATER).data
    assert len(examine(twice).crls) == len(examine(once).crls) == 2


def test_a_signature_without_a_stamp_can_be_made() -> None:
    assert judge(sealed(places=()).data).verdict == "VALID"


def test_many_stamps_are_one_signature() -> None:
    plain = plain_pdf(3)
    places = (PLACE, CORNER, *riding_seal(admit(plain).pages, 120.0, 42.0, 42.0))
    document = sealed(document=plain, places=places).data
    assert judge(document).verdict == "VALID"
    with pikepdf.open(io.BytesIO(document)) as opened:
        kinds = [str(each.Subtype) for page in opened.pages for each in page.Annots]
        images = [each for each in opened.objects if getattr(each, "Subtype", None) == pikepdf.Name.Image]
    assert sorted(kinds) == ["/Stamp"] * 4 + ["/Widget"]
    assert len(images) == 2  # the picture and its transparency, however often it is shown


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_stamp_lies_where_the_page_is_shown(rotate: int) -> None:
    """The ink's box is found by poppler's own drawing."""
    if shutil.which("pdftoppm") is None:
        unavailable("pdftoppm (poppler-utils) is not installed")
    from PIL import Image

    place = Placement(1, 30.0, 50.0, 42.0, 42.0)
    document = sealed(document=plain_pdf(rotate=rotate), places=(place,)).data
    drawn = subprocess.run(
        ["pdftoppm", "-r", "25.4", "-png", "-"], input=document, capture_output=True, check=True
    )
    image = Image.open(io.BytesIO(drawn.stdout)).convert("RGB")
    red = Image.eval(image.getchannel("G"), lambda value: 255 if value < 120 else 0)
    blue_is_dark = Image.eval(image.getchannel("R"), lambda value: 255 if value > 150 else 0)
    box = Image.composite(red, Image.new("L", red.size), blue_is_dark).getbbox()
    assert box is not None
    assert all(abs(found - meant) <= 2 for found, meant in zip(box, (30, 50, 72, 92), strict=True))


def changed(make) -> bytes:
    with pikepdf.open(io.BytesIO(plain_pdf())) as document:
        make(document)
        return saved(document)


def with_action(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = pikepdf.Dictionary(
        S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)")
    )


def with_launch(document: pikepdf.Pdf) -> None:
    link = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 9, 9],
        A=pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.String("cmd")),
    )  # fmt: skip
    document.pages[0].Annots = pikepdf.Array([document.make_indirect(link)])


def with_attachment(document: pikepdf.Pdf) -> None:
    document.attachments["a.txt"] = b"attached"


def with_names_javascript(document: pikepdf.Pdf) -> None:
    document.Root.Names = pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=pikepdf.Array()))


@pytest.mark.parametrize("make", [with_action, with_launch, with_attachment, with_names_javascript])
def test_active_content_gets_no_seal(make) -> None:
    assert refused(changed(make)) == "PDF_ACTIVE"


def test_active_content_in_object_streams_gets_no_seal() -> None:
    with pikepdf.open(io.BytesIO(plain_pdf())) as document:
        with_action(document)
        hidden = saved(document, streams=True)
    assert b"JavaScript" not in hidden
    assert refused(hidden) == "PDF_ACTIVE"


def refused(document: bytes, **given: object) -> str:
    with pytest.raises(Fault) as caught:
        sealed(document=document, **given)
    return caught.value.code


def test_an_encrypted_document_gets_no_seal() -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain_pdf())) as document:
        document.save(target, encryption=pikepdf.Encryption(owner="o", user=""))
    assert refused(target.getvalue()) == "PDF_ENCRYPTED"


def hybrid() -> bytes:
    """Return a document whose table and stream each tell a reader where objects are (ISO 32000-1 7.5.8.4)."""
    plain = plain_pdf(streams=True)
    stream = int(plain[plain.rindex(b"startxref") + 9 : plain.rindex(b"%%EOF")])
    trailer = b"trailer\n<< /Size 9 /Root 1 0 R /XRefStm %d >>\n" % stream
    return plain + b"xref\n0 1\n0000000000 65535 f \n" + trailer + b"startxref\n%d\n%%%%EOF\n" % len(plain)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"PK\x03\x04 not a pdf", b"%PDF-1.7\n%%EOF\n", plain_pdf()[:-40], plain_pdf() + b"tail",
        plain_pdf().replace(b"startxref\n", b"startxref\n9"), hybrid(),
    ],
)  # fmt: skip
def test_what_readers_read_differently_gets_no_seal(document: bytes) -> None:
    assert refused(document) == "PDF_MALFORMED"


def test_a_page_that_does_not_exist_is_refused() -> None:
    assert refused(plain_pdf(2), places=(Placement(3, 1, 1, 42, 42),)) == "PDF_PAGE_MISSING"
    assert refused(plain_pdf(2), places=(Placement(0, 1, 1, 42, 42),)) == "PDF_PAGE_MISSING"


@pytest.mark.parametrize(
    "place",
    [
        Placement(1, 169.0, 10, 42, 42), Placement(1, 10, 256, 42, 42), Placement(1, -1, 10, 42, 42),
        Placement(1, 10, 10, 0, 42), Placement(1, 10, 10, 42, 42, (30, 0, 20, 42)), Placement(1, float("nan"), 1, 42, 42),
    ],
)  # fmt: skip
def test_a_stamp_outside_its_page_is_refused(place: Placement) -> None:
    assert refused(plain_pdf(), places=(place,)) == "STAMP_OUTSIDE_PAGE"


def test_a_certified_document_gets_no_seal() -> None:
    def certify_it(document: pikepdf.Pdf) -> None:
        document.Root.Perms = pikepdf.Dictionary(DocMDP=document.make_indirect(pikepdf.Dictionary()))

    assert refused(changed(certify_it)) == "PDF_CHANGES_FORBIDDEN"


def test_a_sealed_document_takes_one_stamp_per_further_seal() -> None:
    assert refused(sealed().data, by=other_seal(), places=(PLACE, CORNER)) == "PDF_ONE_STAMP_ONLY"


def test_a_document_beyond_the_limits_is_too_complex() -> None:
    plain = plain_pdf(3)
    assert admit(plain).problem == ""
    for name, value in (("document_bytes", 500), ("objects", 4), ("pages", 2), ("revisions", 0)):
        facts = admit(plain, PdfLimits(**{name: value}))
        assert (facts.problem, facts.detail) == ("too complex", name)


def test_a_level_without_its_data_is_refused() -> None:
    assert refused(plain_pdf(), level=Level.B_T, timestamp=None) == "PDF_LEVEL_INCOMPLETE"
    bare = how(Level.B_T)
    with pytest.raises(Fault, match="PDF_LEVEL_INCOMPLETE"):
        sealed(Level.B_LT, validation=bare.validation)


def test_a_timestamp_of_another_value_is_not_put_in() -> None:
    def elsewhere(_signature: bytes) -> bytes:
        return stamped_at()(b"another signature")

    with pytest.raises(Fault, match="PDF_TIMESTAMP_REFUSED"):
        sealed(Level.B_T, timestamp=elsewhere)
    with pytest.raises(Fault, match="PDF_TIMESTAMP_REFUSED"):
        sealed(Level.B_T, token_bytes=100)


def test_what_key_and_time_source_raise_is_not_blamed_on_the_document() -> None:
    def down(_signature: bytes) -> bytes:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        sealed(Level.B_T, timestamp=down)


def test_the_signature_panel_says_seal_reason_and_place() -> None:
    told = embedded(sealed().data).sig_object
    assert [str(told[key]) for key in ("/Name", "/Reason", "/Location")] == [
        SEAL_NAME,
        "加盖电子印章",
        "广丰区",
    ]
    assert str(told["/SubFilter"]) == "/ETSI.CAdES.detached"


def test_a_credential_must_be_that_of_the_key_and_may_sign() -> None:
    mine, other = pki().signers[sealing_room.AUTHORITY], pki().signers[OTHER]
    key = p256().open_key(mine.private_key)
    sm2 = suites().by_signature(SM2_WITH_SM3)
    for suite, certificate in ((p256(), other.certificate), (p256(), b"no"), (sm2, mine.certificate)):
        with pytest.raises(Fault, match="PDF_CREDENTIAL_REFUSED"):
            prepare_pdf_seal(suite, key, certificate, (), SEAL_ID, "印章", picture())
    ca_only = certify(
        p256(),
        pki().signer_ca,
        "只能签发",
        Profile(frozenset({"key_agreement"})),
        NOW,
        NOW + timedelta(days=9),
    )
    with pytest.raises(Fault, match="PDF_CREDENTIAL_REFUSED"):
        seal_of(ca_only)


def test_nothing_is_sealed_outside_the_certificates_validity() -> None:
    for at in (NOW - timedelta(days=4000), NOW + timedelta(days=8000)):
        with pytest.raises(Fault, match="PDF_CREDENTIAL_REFUSED"):
            seal_pdf(plain_pdf(), seal(), (PLACE,), at, how(), None)

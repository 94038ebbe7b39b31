"""Seals and documents of other vendors, with the results that reference/eseal.md clause 17 states."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.errors import Fault
from services.seal.domain.sealing import seal_document
from services.seal.domain.structures import read_seal, read_sealed_value
from services.seal.domain.suite import SM2_CURVE
from services.seal.domain.verification import (
    CheckName,
    Evidence,
    Result,
    Verdict,
    verify_document,
    verify_seal,
)
from services.seal.domain.verification.signature_steps import certificate_of
from tests.unit.seal.sealing_room import NOW, PLACE, outcome, seal_in_use, sm2, suites

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "eseal"
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the placed vectors are not beside this checkout"
)
NOTHING_KNOWN = Evidence(suites(), datetime(2026, 11, 22, tzinfo=UTC))
CRYPTOGRAPHIC = ("container", "references", "digests", "signature", "certlist", "seal_signature", "coverage")


def seal_of(name: str):
    return read_seal((VECTORS / name).read_bytes())


def good(certificate: bytes, signature: bytes, message: bytes) -> bool:
    parsed = certificate_of(certificate)
    assert parsed is not None
    assert parsed.curve_oid == SM2_CURVE
    return sm2().verify(parsed.public_key, signature, message)


@pytest.mark.parametrize(("name", "generation"), [("UserV1.esl", 1), ("UserV4.esl", 4), ("UserV5.esl", 5)])
def test_seals_of_three_generations_are_signed_over_their_own_input(name, generation):
    seal = seal_of(name)
    assert seal.generation == generation
    assert good(seal.maker_certificate, seal.signature, seal.signed_input)
    from services.seal.domain import der

    info = der.children(der.read(seal.raw))[0].raw
    three_parts = der.sequence(info, der.write_octets(seal.maker_certificate), der.write_oid(seal.algorithm))
    other = info if generation == 1 else three_parts
    assert not good(seal.maker_certificate, seal.signature, other)


def test_the_v4_seal_states_what_its_index_says():
    seal = seal_of("UserV4.esl")
    assert (seal.picture.kind, seal.picture.width_mm, seal.picture.height_mm) == ("PNG", 40, 40)
    assert len(seal.certificates) == 1
    assert seal.valid_from == datetime(2020, 4, 22, 2, 9, tzinfo=UTC)
    assert seal.valid_until == datetime(2022, 4, 22, 2, 9, tzinfo=UTC)


def test_a_bare_signed_value_verifies_and_embeds_the_seal():
    value = read_sealed_value((VECTORS / "SignedValueV4.dat").read_bytes())
    assert value.data_hash == bytes(32)
    assert value.seal.raw == (VECTORS / "UserV4.esl").read_bytes()
    assert value.certificate in value.seal.certificates
    assert good(value.certificate, value.signature, value.tbs_raw)
    assert value.timestamp is None


def test_the_masked_seal_parses_but_its_signature_and_maker_are_wrong():
    report = verify_seal(
        (VECTORS / "SESealData-masked.DER").read_bytes(), datetime(2021, 1, 1, tzinfo=UTC), NOTHING_KNOWN
    )
    assert report.verdict is Verdict.INVALID
    assert report.check(CheckName.SEAL_SIGNATURE).reason == "SEAL_SIGNATURE"
    assert report.check(CheckName.MAKER_CHAIN).reason == "MAKER_EXPIRED"
    seal = seal_of("SESealData-masked.DER")
    assert (seal.picture.kind, seal.certificates[0]) == ("GIF", seal.certificates[1])
    assert [extension.critical for extension in seal.extensions] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "year", "verdict", "failed"),
    [
        ("UserV1.esl", 2021, "INDETERMINATE", {}),
        ("UserV4.esl", 2021, "INDETERMINATE", {}),
        ("UserV1.esl", 2023, "INVALID", {"seal_validity": "SEAL_VALIDITY"}),
        ("UserV4.esl", 2023, "INVALID", {"seal_validity": "SEAL_VALIDITY"}),
        ("UserV5.esl", 2027, "INVALID", {"maker_chain": "MAKER_EXPIRED"}),
    ],
)
def test_seals_by_themselves(name, year, verdict, failed):
    report = verify_seal((VECTORS / name).read_bytes(), datetime(year, 1, 1, tzinfo=UTC), NOTHING_KNOWN)
    assert report.verdict.value == verdict
    wrong = {check.name.value: check.reason for check in report.checks if check.result is Result.INVALID}
    assert wrong == failed


@pytest.mark.parametrize(
    ("name", "references", "stated"),
    [("V4RideRight.ofd", 9, "2021-05-19T12:53:44"), ("allprotected.ofd", 6, "2020-10-23T11:45:37")],
)
def test_strangers_documents_are_cryptographically_sound_and_otherwise_open(name, references, stated):
    report = verify_document((VECTORS / name).read_bytes(), NOTHING_KNOWN)
    answer = outcome(report)
    assert answer.verdict == "INDETERMINATE"
    assert all(answer.checks[check] == ("valid", "HOLDS") for check in CRYPTOGRAPHIC)
    assert answer.checks["seal_validity"] == ("valid", "HOLDS")
    assert answer.unsettled().keys() == {"maker_chain", "signer_chain", "revocation", "seal_status"}
    assert report.signatures[0].stated_at == datetime.fromisoformat(stated + "+00:00")
    assert signature_xml(name).count(b"<ofd:Reference ") == references


def signature_xml(name: str) -> bytes:
    """Return the one Signature.xml of a placed document."""
    with zipfile.ZipFile(VECTORS / name) as archive:
        (path,) = [each for each in archive.namelist() if each.endswith("/Signature.xml")]
        return archive.read(path)


def test_the_riding_seal_has_five_slices_that_make_up_its_picture():
    report = verify_document((VECTORS / "V4RideRight.ofd").read_bytes(), NOTHING_KNOWN)
    (signature,) = report.signatures
    assert signature_xml("V4RideRight.ofd").count(b" Clip=") == 5
    assert [stamp.page for stamp in signature.stamps] == [1, 2, 3, 4, 5]


def test_the_third_document_is_in_continue_mode_and_the_first_two_are_closed():
    listed = {
        name: b"Signatures.xml" in signature_xml(name)
        for name in ("V4RideRight.ofd", "allprotected.ofd", "SESV4SignDoc.ofd")
    }
    assert listed == {"V4RideRight.ofd": True, "allprotected.ofd": True, "SESV4SignDoc.ofd": False}
    assert signature_xml("SESV4SignDoc.ofd").count(b"<ofd:Reference ") == 5


def test_no_second_seal_is_added_to_a_strangers_closed_document():
    with pytest.raises(Fault, match="OFD_ALREADY_SEALED"):
        seal_document((VECTORS / "allprotected.ofd").read_bytes(), seal_in_use(), [PLACE], NOW)


def test_a_dangling_location_is_a_note_until_a_file_lies_there():
    answer = outcome(verify_document((VECTORS / "V4RideRight.ofd").read_bytes(), NOTHING_KNOWN))
    assert any("Doc_0/PublicRes.xml" in note for note in answer.notes)
    target = io.BytesIO((VECTORS / "V4RideRight.ofd").read_bytes())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(
            "Doc_0/PublicRes.xml", '<ofd:Res xmlns:ofd="http://www.ofdspec.org/2016" BaseLoc="Res"/>'
        )
    changed = outcome(verify_document(target.getvalue(), NOTHING_KNOWN))
    assert changed.checks["coverage"] == ("indeterminate", "COVERAGE")
    assert changed.verdict != "VALID"


def test_an_expired_seal_and_signer_make_the_third_document_invalid():
    answer = outcome(verify_document((VECTORS / "SESV4SignDoc.ofd").read_bytes(), NOTHING_KNOWN))
    assert answer.verdict == "INVALID"
    assert answer.failed() == {"seal_validity": "SEAL_VALIDITY", "signer_chain": "SIGNER_EXPIRED"}
    assert all(answer.checks[check] == ("valid", "HOLDS") for check in CRYPTOGRAPHIC)

"""Documents and seals that ofdrw makes, read and judged by us."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.seal.domain.sealing import Placement, Protect, prepare_seal, seal_document
from services.seal.domain.structures import read_seal
from services.seal.domain.verification import verify_seal
from tests.interop.present import AUTHORITY, DAY, SECOND_AUTHORITY, room
from tests.interop.program import Program
from tests.unit.seal.sealing_room import judge, ofd_files, pack, sm2, unpack

MODES = ["WholeProtected", "ContinueSign"]


def made_by_ofdrw(java: Program, generation: int, **changed) -> bytes:
    fields = replace(room().fields(), **changed)
    maker = room().pki.maker
    return java.ask_bytes(
        "make_seal", generation=generation, vendor_id="ofdrw", seal_id=fields.seal_id, name=fields.name,
        certificates=list(fields.certificates), created_at=fields.created_at, valid_from=fields.valid_from,
        valid_until=fields.valid_until, picture_kind=fields.picture.kind, picture=fields.picture.data,
        width_mm=fields.picture.width_mm, height_mm=fields.picture.height_mm, maker=maker.certificate,
        maker_key=maker.private_key,
    )  # fmt: skip


def sealed_by_ofdrw(
    java: Program, document=None, seal=None, mode="WholeProtected", generation=4, name=AUTHORITY
):
    return java.ask_bytes(
        "seal_ofd", document=document or pack(ofd_files()), seal=seal or room().seal(name), mode=mode,
        generation=generation, **room().asked(name),
    )  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_our_seal_used_by_ofdrw_gives_a_valid_document(java: Program, mode):
    answer = judge(sealed_by_ofdrw(java, mode=mode), room().evidence())
    assert (answer.verdict, answer.notes) == ("VALID", ())
    assert {result for result, _ in answer.checks.values()} == {"valid", "not_applicable"}


@pytest.mark.parametrize("generation", [1, 4])
def test_seals_that_ofdrw_makes_are_sound_here(java: Program, generation):
    seal = made_by_ofdrw(java, generation)
    parsed, meant = read_seal(seal), room().fields()
    assert (parsed.generation, parsed.vendor_id, parsed.seal_id) == (generation, "ofdrw", meant.seal_id)
    assert (parsed.name, parsed.certificates, parsed.picture) == (
        meant.name,
        meant.certificates,
        meant.picture,
    )
    assert (parsed.created_at, parsed.valid_until) == (meant.created_at, meant.valid_until)
    report = verify_seal(seal, datetime.now(UTC), room().evidence())
    assert report.verdict.value == "VALID"


@pytest.mark.parametrize("generation", [1, 4])
@pytest.mark.parametrize("mode", MODES)
def test_documents_sealed_by_ofdrw_with_its_own_seal_are_valid_here(java: Program, mode, generation):
    seal = made_by_ofdrw(java, generation)
    document = sealed_by_ofdrw(java, seal=seal, mode=mode, generation=generation)
    assert java.ask("verify_ofd", document=document, generation=generation)["verdict"] == "VALID"
    answer = judge(document, room().evidence())
    assert answer.verdict == "VALID", (answer.failed(), answer.unsettled())


def test_what_ofdrw_seals_without_asking_is_found_here(java: Program):
    old = made_by_ofdrw(java, 4, valid_until=room().opened_at + DAY / 48)
    assert judge(sealed_by_ofdrw(java, seal=old), room().evidence()).failed() == {
        "seal_validity": "SEAL_VALIDITY"
    }
    other = room().seal(SECOND_AUTHORITY)
    assert judge(sealed_by_ofdrw(java, seal=other), room().evidence()).failed() == {
        "certlist": "SIGNER_NOT_IN_SEAL"
    }


def test_one_changed_byte_in_ofdrws_document_is_found_here(java: Program):
    members = unpack(sealed_by_ofdrw(java))
    members["Doc_0/Res/hei.ttf"] = members["Doc_0/Res/hei.ttf"].replace(b"real", b"true")
    assert judge(pack(members), room().evidence()).failed() == {"digests": "DIGEST"}


def test_a_seal_of_ofdrw_and_one_of_ours_stand_in_one_document(java: Program):
    first = sealed_by_ofdrw(java, mode="ContinueSign")
    who = room().signer(SECOND_AUTHORITY)
    ours = prepare_seal(
        sm2(), room().seal(SECOND_AUTHORITY), who.certificate, sm2().open_key(who.private_key)
    )
    place = Placement(1, 20.0, 220.0, 42.0, 42.0)
    both = seal_document(first, ours, [place], datetime.now(UTC), mode=Protect.WHOLE)
    assert both.signature_count == 2
    assert java.ask("verify_ofd", document=both.data, generation=4)["verdict"] == "VALID"
    answer = judge(both.data, room().evidence())
    assert answer.verdict == "VALID", (answer.failed(), answer.unsettled())


def test_ofdrw_seals_after_us_in_continue_mode(java: Program):
    who = room().signer()
    seal = prepare_seal(sm2(), room().seal(), who.certificate, sm2().open_key(who.private_key))
    place = Placement(1, 20.0, 220.0, 42.0, 42.0)
    first = seal_document(pack(ofd_files()), seal, [place], datetime.now(UTC), mode=Protect.CONTINUE).data
    both = sealed_by_ofdrw(java, document=first, name=SECOND_AUTHORITY)
    assert java.ask("verify_ofd", document=both, generation=4)["verdict"] == "VALID"
    answer = judge(both, room().evidence())
    assert answer.verdict == "VALID", (answer.failed(), answer.unsettled())

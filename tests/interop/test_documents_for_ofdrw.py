"""Documents that we seal, accepted by ofdrw: layout, digests, seal file and signature."""

from __future__ import annotations

import pytest

from chassis.errors import Fault
from services.seal.domain.placing import riding_seal
from services.seal.domain.sealing import OFD_ALREADY_SEALED, Protect, seal_document
from tests.interop.present import SECOND_AUTHORITY, room
from tests.interop.program import Program, Refused
from tests.unit.seal.sealing_room import (
    NOW,
    PLACE,
    active,
    evidence,
    judge,
    make,
    ofd_files,
    pack,
    pki,
    prepare_seal,
    seal_fields,
    seal_in_use,
    sealed,
    sm2,
    unpack,
)
from tests.unit.seal.test_timestamps import token_maker

VALID = {"verdict": "VALID", "why": ""}


@pytest.mark.parametrize("pages", [1, 2, 12])
def test_a_document_of_any_length_is_accepted(java: Program, pages):
    document = sealed(pages=pages).data
    assert java.ask("verify_ofd", document=document, generation=4) == VALID
    assert judge(document).verdict == "VALID"


def test_several_stamps_of_one_signature_are_accepted(java: Program):
    document = sealed(places=(PLACE, PLACE)).data
    assert java.ask("verify_ofd", document=document, generation=4) == VALID


def test_a_riding_seal_is_accepted(java: Program):
    document = sealed(pages=5, places=riding_seal([(210.0, 297.0)] * 5, 100.0, 42.0, 42.0)).data
    assert java.ask("verify_ofd", document=document, generation=4) == VALID
    assert judge(document).verdict == "VALID"


def test_a_timestamped_signature_is_accepted(java: Program):
    document = seal_document(pack(ofd_files()), seal_in_use(), [PLACE], NOW, token_maker()).data
    assert java.ask("verify_ofd", document=document, generation=4) == VALID
    value = unpack(document)["Doc_0/Signs/Sign_0/SignedValue.dat"]
    assert java.ask("parse_ses_signature", value=value)["timestamp"] is not None


def second_seal():
    who = pki().signers[SECOND_AUTHORITY]
    fields = seal_fields(certificates=(who.certificate,), seal_id="36110300000002")
    return prepare_seal(sm2(), make(fields), who.certificate, sm2().open_key(who.private_key))


@pytest.mark.parametrize("last", [Protect.CONTINUE, Protect.WHOLE])
def test_two_seals_one_after_the_other_are_accepted(java: Program, last):
    first = seal_document(pack(ofd_files()), seal_in_use(), [PLACE], NOW, mode=Protect.CONTINUE).data
    assert java.ask("verify_ofd", document=first, generation=4) == VALID
    both = seal_document(first, second_seal(), [PLACE], NOW, mode=last)
    assert both.signature_count == 2
    assert java.ask("verify_ofd", document=both.data, generation=4) == VALID
    assert judge(both.data, evidence(seal_status=active)).verdict == "VALID"


def test_after_whole_mode_neither_of_us_adds_a_seal(java: Program):
    document = sealed().data
    with pytest.raises(Refused, match="SignatureTerminateException"):
        java.ask(
            "seal_ofd",
            document=document,
            seal=room().seal(),
            mode="ContinueSign",
            generation=4,
            **room().asked(),
        )
    with pytest.raises(Fault) as refusal:
        seal_document(document, second_seal(), [PLACE], NOW)
    assert refusal.value.reason is OFD_ALREADY_SEALED

"""What a report says of protection, of places, and of the present: for people, beside the checks that judge."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.seal.domain.pki import make_crl
from services.seal.domain.sealing import Protect, seal_document
from services.seal.domain.verification import SealState, verify_document
from services.seal.domain.verification.protection import MOST_ITEMS
from tests.unit.seal.pdf import pdf_room
from tests.unit.seal.sealing_room import (
    NOW,
    PLACE,
    evidence,
    ofd_files,
    pack,
    pki,
    seal_in_use,
    sm2,
    unpack,
)

PAGE = "Doc_0/Pages/Page_0/Content.xml"
LISTING = "Doc_0/Signs/Signatures.xml"


def sealed(mode: Protect = Protect.WHOLE, document: bytes | None = None) -> bytes:
    return seal_document(document or pack(ofd_files()), seal_in_use(), [PLACE], NOW, mode=mode).data


def covered(document: bytes, index: int = -1, **known: object):
    found = verify_document(document, evidence(**known)).signatures[index].coverage
    assert found is not None
    return found


def kinds(items) -> dict[str, str]:
    return {each.name: each.kind.value for each in items}


def test_a_whole_signature_protects_all_but_its_own_files_and_closes_the_document():
    found = covered(sealed())
    assert (found.pages, found.protected_pages, found.closed, found.left_out) == (1, (1,), True, 0)
    assert (found.protected[0].name, found.protected[0].kind.value, found.protected[0].page) == (
        PAGE,
        "page",
        1,
    )
    protected = kinds(found.protected)
    assert (protected[LISTING], protected["OFD.xml"]) == ("signature_list", "content")
    assert set(kinds(found.unprotected).values()) == {"signature"}


def test_a_continue_signature_leaves_the_list_open_and_later_signatures():
    one = sealed(Protect.CONTINUE)
    found = covered(one)
    assert not found.closed
    assert kinds(found.unprotected)[LISTING] == "signature_list"
    both = sealed(Protect.CONTINUE, one)
    first, second = (covered(both, index) for index in (0, 1))
    later = {name for name in kinds(first.unprotected) if "Sign_1/" in name}
    assert later, "the first cannot protect what came after it"
    assert not {name for name in kinds(second.unprotected) if "Sign_0/" in name}
    assert first.protected_pages == second.protected_pages == (1,)


def test_what_was_changed_counts_as_unprotected():
    files = unpack(sealed())
    files[PAGE] += b" "
    found = covered(pack(files))
    assert found.protected_pages == ()
    assert kinds(found.unprotected)[PAGE] == "page"


def test_a_file_that_nobody_named_is_listed_as_such_and_a_flood_is_counted():
    files = unpack(sealed())
    files |= {f"Doc_0/x/{number}.bin": b"x" for number in range(MOST_ITEMS + 50)}
    found = covered(pack(files))
    assert len(found.unprotected) == MOST_ITEMS
    assert found.left_out > 50
    assert "unlisted" in kinds(found.unprotected).values()


def test_stamps_are_told_by_page_and_box():
    (one,) = verify_document(sealed(), evidence()).signatures
    (place,) = one.stamps
    assert (place.page, place.box_mm, place.clip_mm) == (1, (130.0, 220.0, 42.0, 42.0), None)


def test_a_pdf_signature_protects_its_revision_and_says_what_came_after():
    one = pdf_room.sealed().data
    found = pdf_room.judge(one)
    assert found.verdict == "VALID"
    from services.seal.pdf import verify_pdf

    def coverage_of(document: bytes, index: int):
        report = verify_pdf(document, pdf_room.evidence(), pdf_room.companion)
        return report.signatures[index].coverage

    alone = coverage_of(one, 0)
    assert [each.kind.value for each in alone.protected] == ["revision"]
    assert (alone.unprotected, alone.pages, alone.protected_pages, alone.closed) == ((), 1, (1,), False)
    both = pdf_room.sealed(document=one).data
    earlier, later = coverage_of(both, 0), coverage_of(both, 1)
    assert [each.kind.value for each in earlier.unprotected] == ["later_revision"]
    assert earlier.protected_pages == later.protected_pages == (1,)
    assert later.unprotected == ()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_pdf_stamp_is_told_where_it_was_asked_for_on_a_turned_page_too(rotate: int):
    from services.seal.domain.placing import Placement
    from services.seal.pdf import verify_pdf

    asked = Placement(2, 30.0, 50.0, 42.0, 42.0)
    document = pdf_room.plain_pdf(2, rotate=rotate)
    signed = pdf_room.sealed(document=document, places=(asked,)).data
    report = verify_pdf(signed, pdf_room.evidence(), pdf_room.companion)
    (place,) = report.signatures[0].stamps
    assert (report.verdict.value, place.page) == ("VALID", 2)
    assert place.box_mm == pytest.approx((30.0, 50.0, 42.0, 42.0), abs=0.01)


def now(**known: object):
    (one,) = verify_document(sealed(), evidence(**known)).signatures
    failing = {each.name.value: each.reason for each in one.now_checks if each.result.value == "invalid"}
    return one.verdict.value, one.now_verdict.value, failing


def test_the_present_counts_in_the_second_verdict_only():
    assert now() == ("VALID", "VALID", {})

    def ended(_seal_id, at):
        return SealState.ACTIVE if at == NOW else SealState.CANCELLED

    assert now(seal_status=ended) == ("VALID", "INVALID", {"seal_status": "SEAL_ENDED_SINCE"})


def test_a_certificate_revoked_since_is_a_note_then_and_a_failure_now():
    from tests.unit.seal.sealing_room import crls, signer

    room, revoked_at = pki(), NOW + timedelta(minutes=30)
    revoked = {signer().certificate: revoked_at}
    crl = make_crl(sm2(), room.signer_ca, revoked, 3, NOW + timedelta(minutes=40))
    lists = (*crls()[:2], crl)
    verdict, present, failing = now(crls=lists, recorded_at=lambda _: NOW)
    assert (verdict, present, failing) == ("VALID", "INVALID", {"revocation": "REVOKED_SINCE"})
    verdict, present, _ = now(crls=lists, own_makers=frozenset())
    assert (verdict, present) == ("INDETERMINATE", "INVALID"), "nothing proves which came first"


@pytest.mark.parametrize("years", [3, 20])
def test_an_ended_seal_or_certificate_fails_now(years: int):
    later = NOW + timedelta(days=365 * years)
    verdict, present, failing = now(now=later, recorded_at=lambda _: NOW)
    assert present == "INVALID"
    assert failing["seal_validity"] == "SEAL_EXPIRED_SINCE"
    assert verdict != "INVALID", "it was valid when it was used"

"""Who signed a PDF, when, and with which seal: each falsehood fails its check by name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from services.seal.domain import der
from services.seal.domain.certificates import Profile
from services.seal.domain.companion_list import ListedCompanion
from services.seal.domain.pki import TIME_STAMPING, certify, make_crl, make_development_pki
from services.seal.domain.suite import SM2_WITH_SM3
from services.seal.domain.verification import SealState
from services.seal.pdf import Level, PdfSeal, examine, verify_pdf
from services.seal.pdf import sealing as sealing_module
from services.seal.pdf.cms import (
    SIGNING_CERTIFICATE,
    read_message,
    signed_attributes,
    write_message,
)
from tests.unit.seal import sealing_room
from tests.unit.seal.pdf.pdf_room import (
    LATER,
    NOW,
    OTHER,
    SEAL_ID,
    SIGNING,
    crls,
    evidence,
    flipped,
    judge,
    other_seal,
    p256,
    pki,
    plain_pdf,
    put_in,
    registered,
    registered_seal,
    seal,
    seal_of,
    sealed,
    sound_twin,
    stamped_at,
    time_authority,
    twin,
)

pytestmark = pytest.mark.usefixtures("sound_twin")
__all__ = ["sound_twin"]


def forged(**changed: object) -> PdfSeal:
    return replace(seal(), **changed)


def test_a_signature_by_another_key_is_found() -> None:
    other = p256().open_key(pki().signers[OTHER].private_key)
    assert judge(sealed(by=forged(key=other)).data).failed() == {"signature": "SIGNATURE"}


def test_a_seal_used_by_another_certificate_is_found() -> None:
    thief = seal_of(pki().signers[OTHER], SEAL_ID)
    assert judge(sealed(by=thief).data).failed() == {"certlist": "SIGNER_NOT_IN_SEAL"}


def test_attributes_that_name_another_certificate_are_found(monkeypatch) -> None:
    other = pki().signers[OTHER].certificate

    def attributes(suite, _certificate, data_hash, reference):
        return signed_attributes(suite, other, data_hash, reference)

    monkeypatch.setattr(sealing_module, "signed_attributes", attributes)
    assert judge(sealed().data).failed() == {"signature": "SIGNER_NAMED"}


def test_attributes_that_name_no_certificate_are_found(monkeypatch) -> None:
    def attributes(*given):
        kept = [each.raw for each in der.children(der.read(signed_attributes(*given)))]
        return der.set_of([each for each in kept if der.write_oid(SIGNING_CERTIFICATE) not in each])

    monkeypatch.setattr(sealing_module, "signed_attributes", attributes)
    assert judge(sealed().data).failed() == {"signature": "SIGNER_NAMED"}


def test_an_algorithm_of_another_curve_is_found() -> None:
    ecdsa, sm2 = p256().algorithm_der, sealing_room.sm2().algorithm_der
    assert sealing_room.sm2().signature_oid == SM2_WITH_SM3

    def change(message: bytes) -> bytes:
        head, _, tail = message.rpartition(ecdsa)
        return head + sm2 + tail if len(ecdsa) == len(sm2) else message

    changed = judge(put_in(sealed().data, change))
    assert set(changed.failed()) == {"signature"}


def expired(not_after: datetime) -> PdfSeal:
    """Return a seal whose certificate ended, though the sealing side believes otherwise."""
    ended = certify(
        p256(),
        pki().signer_ca,
        sealing_room.AUTHORITY,
        Profile(SIGNING),
        NOW - timedelta(days=90),
        not_after,
    )
    one = seal_of(ended)
    return replace(one, certificate=replace(one.certificate, not_after=NOW + timedelta(days=1)))


def test_a_certificate_that_had_ended_is_found() -> None:
    by = expired(NOW - timedelta(days=1))
    outcome = judge(sealed(Level.B_T, by=by).data, lookup=registered(by.certificate.raw))
    assert outcome.failed() == {"signer_chain": "SIGNER_EXPIRED"}
    sound = expired(NOW + timedelta(days=1))
    assert (
        judge(sealed(Level.B_T, by=sound).data, lookup=registered(sound.certificate.raw)).verdict == "VALID"
    )


def test_a_certificate_that_may_not_sign_is_found() -> None:
    profile = Profile(SIGNING, extended_usages=(TIME_STAMPING,))
    wrong = seal_of(certify(p256(), pki().signer_ca, "时间", profile, NOW - timedelta(days=1), LATER))
    outcome = judge(sealed(by=wrong).data, lookup=registered(wrong.certificate.raw))
    assert outcome.failed() == {"signer_chain": "SIGNER_CERT"}


def test_a_stranger_without_an_anchor_stays_open() -> None:
    strangers = make_development_pki(p256(), ["某单位"], NOW - timedelta(days=9))
    one = strangers.signers["某单位"]
    by = replace(seal_of(one), chain=strangers.intermediates)
    outcome = judge(sealed(by=by).data, lookup=registered(one.certificate))
    assert outcome.failed() == {}
    assert outcome.unsettled() == {"signer_chain": "NO_ANCHOR", "revocation": "REVOCATION"}


def revoked_at(moment: datetime) -> tuple[bytes, ...]:
    one = pki().signers[sealing_room.AUTHORITY].certificate
    current = make_crl(p256(), pki().signer_ca, {one: moment}, 3, NOW)
    return (*sealing_room.crls(), crls()[0], current)


def test_a_certificate_revoked_before_is_found() -> None:
    known = evidence(crls=revoked_at(NOW - timedelta(days=1)))
    assert judge(twin(), known).failed() == {"revocation": "REVOKED"}


def test_a_certificate_revoked_after_needs_proof_of_time() -> None:
    known = evidence(crls=revoked_at(NOW + timedelta(minutes=30)))
    assert "签章人证书在签章后被吊销" in judge(twin(), known).notes
    assert judge(twin(), known).verdict == "VALID"
    unproved = evidence(crls=known.crls, recorded_at=lambda _digest: None)
    assert judge(sealed().data, unproved).unsettled() == {"revocation": "NO_PROOF_OF_TIME"}
    proved = evidence(crls=known.crls, recorded_at=lambda _digest: NOW)
    assert judge(sealed().data, proved).verdict == "VALID"


def test_without_lists_revocation_stays_open_unless_the_document_brings_them() -> None:
    known = evidence(crls=sealing_room.crls())
    assert judge(twin(), known).unsettled() == {"revocation": "REVOCATION"}
    kept = sealed(Level.B_LT).data
    assert judge(kept, known).verdict == "VALID"
    long_after = replace(known, now=NOW + timedelta(days=365), seal_status=sealing_room.active)
    outcome = judge(kept, long_after, lookup=registered(seal().certificate.raw))
    assert (outcome.verdict, outcome.notes) == ("VALID", ("按签章时的吊销列表判断",))


# ---- time ------------------------------------------------------------------------------------------------------


def test_the_timestamp_of_another_signature_is_found() -> None:
    document = sealed(Level.B_T, plain_pdf(text="other words")).data
    other = read_message(examine(document).signatures[0].contents).token

    def change(message: bytes) -> bytes:
        parsed, used = read_message(message), seal()
        return write_message(
            p256(), used.certificate, used.chain, parsed.attributes_set, parsed.signature, other
        )

    assert judge(put_in(twin(), change)).failed() == {"timestamp": "TIMESTAMP"}


def test_a_timestamp_by_a_certificate_that_may_not_stamp_is_found() -> None:
    plain = certify(p256(), pki().root, "无用途", Profile(SIGNING), NOW - timedelta(days=1), LATER)
    changed = sealed(Level.B_T, timestamp=stamped_at(NOW, plain)).data
    assert judge(changed).failed() == {"timestamp": "TIMESTAMP"}


@pytest.mark.parametrize("moment", [NOW - timedelta(hours=1), NOW + timedelta(hours=5)])
def test_a_timestamp_out_of_its_time_is_found(moment: datetime) -> None:
    assert judge(sealed(Level.B_T, timestamp=stamped_at(moment)).data).failed() == {"timestamp": "TIMESTAMP"}


def test_a_timestamp_by_a_stranger_stays_open() -> None:
    strangers = make_development_pki(p256(), [], NOW - timedelta(days=9))
    profile = Profile(SIGNING, extended_usages=(TIME_STAMPING,))
    authority = certify(p256(), strangers.root, "外部时间戳", profile, NOW - timedelta(days=1), LATER)
    outcome = judge(sealed(Level.B_T, timestamp=stamped_at(NOW, authority)).data)
    assert (outcome.failed(), outcome.unsettled()) == ({}, {"timestamp": "TIMESTAMP_AUTHORITY"})


def test_an_authority_believed_about_time_only_is_believed_in_a_pdf_too() -> None:
    other = make_development_pki(p256(), [], NOW - timedelta(days=1))
    profile = Profile(SIGNING, extended_usages=(TIME_STAMPING,))
    authority = certify(
        p256(), other.root, "他方时间戳", profile, NOW - timedelta(days=1), NOW + timedelta(days=9)
    )
    stamped = sealed(Level.B_T, timestamp=stamped_at(NOW, authority)).data
    assert judge(stamped, evidence(timestamp_anchors=other.anchors)).verdict == "VALID"


def test_a_time_stamping_authority_revoked_before_it_stamped_proves_nothing() -> None:
    revoked = {time_authority().certificate: NOW - timedelta(hours=1)}
    crl = make_crl(p256(), pki().root, revoked, 3, NOW)
    outcome = judge(sealed(Level.B_T).data, evidence(crls=(*evidence().crls, crl)))
    assert outcome.verdict != "VALID"
    assert "timestamp" in outcome.failed() | outcome.unsettled()


def test_a_sealing_in_the_future_is_found() -> None:
    assert judge(sealed(at=NOW + timedelta(hours=3)).data).failed() == {"timestamp": "FUTURE"}


# ---- the seal --------------------------------------------------------------------------------------------------


def test_a_seal_that_was_not_active_is_found() -> None:
    known = evidence(seal_status=lambda _seal, _at: SealState.REVOKED)
    assert judge(twin(), known).failed() == {"seal_status": "SEAL_NOT_ACTIVE"}


def test_a_seal_that_nobody_knows_stays_open() -> None:
    outcome = judge(twin(), lookup=None)
    assert (outcome.failed(), outcome.unsettled()) == ({}, {"certlist": "COMPANION_UNKNOWN"})
    unknown = evidence(seal_status=lambda _seal, _at: SealState.UNKNOWN)
    assert judge(twin(), unknown).unsettled() == {"seal_status": "SEAL_STATUS"}


def listed(certificate: bytes | None = None, until: datetime = NOW + timedelta(days=900)):
    """Answer as the signed list does, which holds no seal."""
    digest = hashlib.sha256(certificate or seal().certificate.raw).digest()
    return {SEAL_ID: ListedCompanion(NOW - timedelta(days=90), until, frozenset({digest}))}.get


def test_a_listed_certificate_is_the_seals_and_judged_by_the_state_at_the_stated_time() -> None:
    assert judge(twin(), lookup=listed()).verdict == "VALID"
    for state in (SealState.SUSPENDED, SealState.CANCELLED):
        stopped = partial(_until, NOW + timedelta(minutes=30), state)
        assert judge(twin(), evidence(seal_status=stopped), lookup=listed()).verdict == "VALID"
        before = partial(_until, NOW - timedelta(minutes=30), state)
        outcome = judge(twin(), evidence(seal_status=before), lookup=listed())
        assert outcome.failed() == {"seal_status": "SEAL_NOT_ACTIVE"}


def _until(moment: datetime, then: SealState, _seal_id: str, at: datetime) -> SealState:
    return SealState.ACTIVE if at < moment else then


def test_a_certificate_that_the_list_gives_to_no_seal_or_to_another_is_not_believed() -> None:
    foreign = other_seal().certificate.raw
    assert judge(twin(), lookup=listed(foreign)).failed() == {"certlist": "SIGNER_NOT_IN_SEAL"}
    unlisted = judge(sealed(by=other_seal()).data, lookup=listed())
    assert (unlisted.failed(), unlisted.unsettled()) == ({}, {"certlist": "COMPANION_UNKNOWN"})


def test_a_listed_seal_outside_its_validity_is_found() -> None:
    ended = listed(until=NOW - timedelta(days=1))
    assert judge(twin(), lookup=ended).failed() == {"seal_validity": "SEAL_VALIDITY"}
    ends = listed(until=NOW + timedelta(minutes=5))
    (one,) = verify_pdf(twin(), evidence(), ends, examine).signatures
    assert (one.verdict.value, one.now_verdict.value) == ("VALID", "INVALID")


def test_the_list_is_no_ledger_and_proves_no_time() -> None:
    revoked = evidence(crls=revoked_at(NOW + timedelta(minutes=30)))
    assert judge(twin(), revoked, lookup=listed()).verdict == "VALID", "its time stamp proves the time"
    outcome = judge(sealed().data, revoked, lookup=listed())
    assert outcome.unsettled() == {"revocation": "NO_PROOF_OF_TIME"}


def test_a_seal_outside_its_validity_is_found() -> None:
    ended = sealing_room.make(sealing_room.seal_fields(valid_until=NOW - timedelta(days=1)))
    outcome = judge(twin(), lookup=registered(seal().certificate.raw, whole=ended))
    assert outcome.failed() == {"seal_validity": "SEAL_VALIDITY"}


def test_a_seal_with_a_broken_signature_or_of_another_id_is_found() -> None:
    whole = registered_seal()
    broken = flipped(whole, len(whole) - 3)
    assert judge(twin(), lookup=registered(seal().certificate.raw, whole=broken)).failed() == {
        "seal_signature": "SEAL_SIGNATURE"
    }
    foreign = sealing_room.make(sealing_room.seal_fields(seal_id="36110300000009"))
    assert judge(twin(), lookup=registered(seal().certificate.raw, whole=foreign)).failed() == {
        "seal_signature": "FORMAT"
    }


def test_a_signature_that_names_no_seal_is_judged_without_one(monkeypatch) -> None:
    def attributes(suite, certificate, data_hash, reference):
        kept = [
            each.raw
            for each in der.children(der.read(signed_attributes(suite, certificate, data_hash, reference)))
        ]
        return der.set_of([each for each in kept if SEAL_ID.encode() not in each])

    monkeypatch.setattr(sealing_module, "signed_attributes", attributes)
    outcome = judge(sealed(Level.B_T).data)
    assert outcome.verdict == "VALID"
    absent = {name for name, (result, _) in outcome.checks.items() if result == "not_applicable"}
    assert absent == {"certlist", "seal_signature", "seal_validity", "maker_chain", "seal_status"}

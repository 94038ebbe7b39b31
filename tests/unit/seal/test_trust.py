"""Seals and signers that are expired, revoked, unknown or not what they say: each with its own reason."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest

from services.seal.domain.certificates import (
    Profile,
    build_certificate,
    build_name,
    build_path,
    read_certificate,
)
from services.seal.domain.certificates.building import CA, SIGNER
from services.seal.domain.pki import Credential, certify, make_crl, make_development_pki
from services.seal.domain.sealing import prepare_seal
from services.seal.domain.structures import Picture, SealFields, write_seal, write_seal_info
from services.seal.domain.suite import ECDSA_WITH_SHA256, SM2_WITH_SM3
from services.seal.domain.verification import CheckName, SealState, verify_document, verify_seal
from tests.unit.seal.sealing_room import (
    AUTHORITY,
    NOW,
    PLACE,
    SEAL_ID,
    crls,
    evidence,
    judge,
    make,
    ofd_files,
    pack,
    picture,
    pki,
    seal_der,
    seal_fields,
    seal_in_use,
    sealed,
    sealed_once,
    signer,
    sm2,
    suites,
)  # fmt: skip

DAY = timedelta(days=1)
FOREIGN = {"own_makers": frozenset()}


def sealed_with(
    fields: SealFields, maker: Credential | None = None, who: Credential | None = None, at=NOW
) -> bytes:
    who = who or signer()
    seal = prepare_seal(sm2(), make(fields, maker), who.certificate, sm2().open_key(who.private_key))
    return sealed(seal=seal, at=at).data


def test_without_anchors_lists_or_register_nothing_is_settled_and_nothing_is_wrong():
    nothing = evidence(anchors=(), crls=(), seal_status=None, **FOREIGN)
    answer = judge(sealed_once(), nothing)
    assert answer.verdict == "INDETERMINATE"
    assert answer.unsettled() == {
        "maker_chain": "NO_ANCHOR", "signer_chain": "NO_ANCHOR", "revocation": "REVOCATION", "seal_status": "SEAL_STATUS",
    }  # fmt: skip


@pytest.mark.parametrize("state", [SealState.SUSPENDED, SealState.REVOKED, SealState.CANCELLED])
def test_a_seal_out_of_use_makes_the_document_invalid(state):
    asked = []

    def register(seal_id, at):
        asked.append((seal_id, at))
        return state

    assert judge(sealed_once(), evidence(seal_status=register)).failed() == {"seal_status": "SEAL_NOT_ACTIVE"}
    assert asked == [(SEAL_ID, NOW), (SEAL_ID, evidence().now)], "for then, and for now"


def test_a_seal_the_register_does_not_know_leaves_the_question_open():
    answer = judge(sealed_once(), evidence(seal_status=lambda *_: SealState.UNKNOWN))
    assert (answer.verdict, answer.unsettled()) == ("INDETERMINATE", {"seal_status": "SEAL_STATUS"})


def test_a_stated_time_in_the_future_is_refused():
    answer = judge(sealed_once(), evidence(now=NOW - timedelta(minutes=6), crls=crls()))
    assert answer.failed() == {"timestamp": "FUTURE"}
    assert judge(sealed_once(), evidence(now=NOW - timedelta(minutes=4))).verdict == "VALID"


def revoking(ca: str, certificate: bytes, at) -> tuple[bytes, ...]:
    room = pki()
    revoked = {ca: {certificate: at}}
    return tuple(
        make_crl(sm2(), getattr(room, name), revoked.get(name, {}), 3, NOW)
        for name in ("root", "maker_ca", "signer_ca")
    )


def test_a_signer_revoked_before_the_sealing_makes_it_invalid():
    lists = revoking("signer_ca", signer().certificate, NOW - DAY)
    assert judge(sealed_once(), evidence(crls=lists)).failed() == {"revocation": "REVOKED"}


def test_a_signer_revoked_later_needs_proof_of_time_abroad_and_our_register_at_home():
    lists, later = revoking("signer_ca", signer().certificate, NOW + DAY), NOW + 2 * DAY
    abroad = judge(sealed_once(), evidence(crls=lists, now=later, **FOREIGN))
    assert abroad.unsettled() == {"revocation": "NO_PROOF_OF_TIME"}
    assert judge(sealed_once(), evidence(crls=lists, now=later)).verdict == "VALID"


def test_where_there_is_a_ledger_only_it_vouches_for_time():
    lists, later = revoking("signer_ca", signer().certificate, NOW + DAY), NOW + 2 * DAY
    document = sealed()
    ledger = {document.signature_digest: NOW}
    known = evidence(crls=lists, now=later, recorded_at=ledger.get)
    assert judge(document.data, known).verdict == "VALID"
    assert judge(sealed().data, known).unsettled() == {"revocation": "NO_PROOF_OF_TIME"}
    report = verify_document(document.data, known)
    assert report.signatures[0].proved_at == NOW


def test_a_maker_revoked_before_it_made_the_seal_is_refused_and_later_is_a_note():
    before = revoking("maker_ca", pki().maker.certificate, NOW - 95 * DAY)
    assert judge(sealed_once(), evidence(crls=before)).failed() == {"revocation": "REVOKED"}
    after = judge(sealed_once(), evidence(crls=revoking("maker_ca", pki().maker.certificate, NOW - DAY)))
    assert after.verdict == "VALID"
    assert any("制章后被吊销" in note for note in after.notes)


def test_a_revoked_ca_takes_its_children_with_it():
    lists = revoking("root", pki().signer_ca.certificate, NOW - DAY)
    assert judge(sealed_once(), evidence(crls=lists)).failed() == {"revocation": "REVOKED"}


def test_stale_missing_or_forged_lists_say_nothing():
    assert judge(sealed_once(), evidence(now=NOW + 40 * DAY)).unsettled() == {"revocation": "REVOCATION"}
    assert judge(sealed_once(), evidence(crls=crls()[:2])).unsettled() == {"revocation": "REVOCATION"}
    other = make_development_pki(sm2(), [AUTHORITY], NOW - 2 * DAY)
    forged = make_crl(sm2(), Credential(pki().signer_ca.certificate, other.signer_ca.private_key), {}, 9, NOW)
    assert judge(sealed_once(), evidence(crls=(*crls()[:2], forged))).unsettled() == {
        "revocation": "REVOCATION"
    }


def test_a_seal_used_outside_its_validity_is_refused():
    early = sealed_with(seal_fields(valid_from=NOW - DAY))
    assert judge(early).verdict == "VALID"
    raw = write_seal_info(seal_fields(valid_until=NOW - DAY))
    assert judge(_forced(raw)).failed() == {"seal_validity": "SEAL_VALIDITY"}
    raw = write_seal_info(seal_fields(valid_from=NOW + DAY, valid_until=NOW + 2 * DAY))
    assert judge(_forced(raw)).failed() == {"seal_validity": "SEAL_VALIDITY"}
    raw = write_seal_info(seal_fields(valid_from=NOW + DAY, valid_until=NOW - DAY))
    assert judge(_forced(raw)).failed() == {"seal_validity": "SEAL_VALIDITY"}


def _forced(
    info: bytes, maker: Credential | None = None, key: Credential | None = None, oid=SM2_WITH_SM3
) -> bytes:
    """Seal with an eSealInfo that `make_seal` or `seal_document` would refuse."""
    from tests.unit.seal.test_tampering import SEAL, SIGNATURE, resigned, unpack

    maker = maker or pki().maker
    seal = write_seal(info, maker.certificate, oid, sm2().open_key((key or maker).private_key).sign(info))
    files = unpack(sealed_once())
    import base64

    old, new = (base64.b64encode(sm2().digest(data)) for data in (files[SEAL], seal))
    return resigned(files[SIGNATURE].replace(old, new), files | {SEAL: seal})


def test_a_forged_seal_around_a_real_picture_is_refused():
    info = write_seal_info(seal_fields())
    mallory = make_development_pki(sm2(), [AUTHORITY], NOW - 200 * DAY)
    assert judge(_forced(info, key=mallory.maker)).failed() == {"seal_signature": "SEAL_SIGNATURE"}
    answer = judge(_forced(info, maker=mallory.maker), evidence(**FOREIGN))
    assert (answer.verdict, answer.checks["maker_chain"]) == ("INDETERMINATE", ("indeterminate", "NO_ANCHOR"))


def test_a_maker_that_borrows_a_ca_name_is_refused():
    fake_ca = Credential(pki().maker_ca.certificate, sm2().generate_key())
    maker = certify(sm2(), fake_ca, "假制章系统", SIGNER, NOW - 95 * DAY, NOW + DAY)
    answer = judge(_forced(write_seal_info(seal_fields()), maker=maker), evidence(**FOREIGN))
    assert answer.verdict != "VALID"
    anchored = evidence(anchors=(*pki().anchors, pki().maker_ca.certificate), **FOREIGN)
    assert answer.checks["maker_chain"][0] == "indeterminate"
    assert judge(_forced(write_seal_info(seal_fields()), maker=maker), anchored).verdict != "VALID"


def test_a_maker_that_borrows_a_ca_name_and_key_id_is_refused():
    class Impostor:
        public_key = sm2().open_key(pki().maker_ca.private_key).public_key
        sign = staticmethod(sm2().open_key(sm2().generate_key()).sign)

    private = sm2().generate_key()
    ca = read_certificate(pki().maker_ca.certificate)
    certificate = build_certificate(
        sm2(), Impostor(), ca.subject_raw, build_name("假制章系统"), sm2().open_key(private).public_key, 1 << 100,
        NOW - 95 * DAY, NOW + DAY, SIGNER,
    )  # fmt: skip
    document = _forced(write_seal_info(seal_fields()), maker=Credential(certificate, private))
    assert judge(document, evidence(**FOREIGN)).failed() == {"maker_chain": "MAKER_CERT"}


def test_a_seal_signature_over_three_parts_is_wrong_in_v4():
    from services.seal.domain import der

    info, maker = write_seal_info(seal_fields()), pki().maker
    three = der.sequence(info, der.write_octets(maker.certificate), der.write_oid(SM2_WITH_SM3))
    seal = write_seal(info, maker.certificate, SM2_WITH_SM3, sm2().open_key(maker.private_key).sign(three))
    report = verify_seal(seal, NOW, evidence())
    assert report.check(CheckName.SEAL_SIGNATURE).reason == "SEAL_SIGNATURE"
    assert verify_seal(seal_der(), NOW, evidence()).verdict.value == "VALID"


def test_a_swapped_picture_breaks_the_seal():
    swapped = seal_der().replace(picture().data[-20:], bytes(20))
    assert verify_seal(swapped, NOW, evidence()).check(CheckName.SEAL_SIGNATURE).reason == "SEAL_SIGNATURE"


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (Profile(frozenset({"key_encipherment"})), "MAKER_CERT"),
        (Profile(SIGNER.usages, extended_usages=("1.3.6.1.5.5.7.3.8",)), "MAKER_CERT"),
    ],
)
def test_a_maker_with_the_wrong_usage_is_refused(profile, reason):
    maker = certify(sm2(), pki().maker_ca, "制章", profile, NOW - 95 * DAY, NOW + DAY)
    assert judge(sealed_with(seal_fields(), maker), evidence(**FOREIGN)).failed() == {"maker_chain": reason}


def test_a_maker_expired_before_it_made_the_seal_is_refused():
    maker = certify(sm2(), pki().maker_ca, "制章", SIGNER, NOW - 99 * DAY, NOW - 95 * DAY)
    assert judge(sealed_with(seal_fields(), maker), evidence(**FOREIGN)).failed() == {
        "maker_chain": "MAKER_EXPIRED"
    }
    ended = certify(sm2(), pki().maker_ca, "制章", SIGNER, NOW - 99 * DAY, NOW - 80 * DAY)
    answer = judge(sealed_with(seal_fields(), ended), evidence(**FOREIGN))
    assert answer.verdict == "VALID"
    assert any("制章后已到期" in note for note in answer.notes)


def test_a_maker_below_no_ca_is_refused():
    no_ca = certify(sm2(), pki().maker_ca, "不是CA", SIGNER, NOW - 99 * DAY, NOW + DAY)
    maker = certify(sm2(), no_ca, "制章", SIGNER, NOW - 98 * DAY, NOW + DAY)
    known = evidence(intermediates=(*pki().intermediates, no_ca.certificate), **FOREIGN)
    assert judge(sealed_with(seal_fields(), maker), known).failed() == {"maker_chain": "MAKER_CERT"}


def test_path_length_is_held():
    short = certify(
        sm2(), pki().root, "短CA", Profile(CA.usages, is_ca=True, path_length=0), NOW - 99 * DAY, NOW + DAY
    )
    below = certify(sm2(), short, "下级CA", CA, NOW - 99 * DAY, NOW + DAY)
    leaf = certify(sm2(), below, "叶", SIGNER, NOW - 99 * DAY, NOW + DAY)
    direct = certify(sm2(), short, "叶", SIGNER, NOW - 99 * DAY, NOW + DAY)
    read = [read_certificate(credential.certificate) for credential in (short, below)]
    anchors = [read_certificate(pki().root.certificate)]
    assert (
        build_path(read_certificate(leaf.certificate), read, anchors, NOW, suites()).problem.name
        == "PATH_LENGTH"
    )
    assert build_path(read_certificate(direct.certificate), read, anchors, NOW, suites()).problem is None
    late = build_path(read_certificate(direct.certificate), read, anchors, NOW + 2 * DAY, suites())
    assert late.problem.name == "CA_EXPIRED"


def test_an_expired_signer_is_refused():
    who = certify(sm2(), pki().signer_ca, AUTHORITY, SIGNER, NOW - 50 * DAY, NOW + DAY)
    document = sealed_with(seal_fields(certificates=(who.certificate,)), who=who)
    assert judge(document).verdict == "VALID"
    later = evidence(now=NOW + 3 * DAY, **FOREIGN)
    assert judge(document, later).unsettled() == {"revocation": "NO_PROOF_OF_TIME"}
    from tests.unit.seal.test_tampering import SIGNATURE, resigned, unpack

    files = unpack(document)
    backdated = resigned(files[SIGNATURE], files, who=who, at=NOW + 2 * DAY)
    assert judge(backdated, evidence(now=NOW + 3 * DAY)).failed() == {"signer_chain": "SIGNER_EXPIRED"}


def test_a_document_sealed_in_the_second_suite_verifies_the_same_way():
    ecdsa = suites().by_signature(ECDSA_WITH_SHA256)
    room = make_development_pki(ecdsa, [AUTHORITY], NOW - DAY)
    who = room.signers[AUTHORITY]
    from services.seal.domain.sealing import make_seal, seal_document

    fields = seal_fields(
        certificates=(who.certificate,), created_at=NOW - timedelta(hours=1), valid_from=NOW - DAY
    )
    seal = make_seal(ecdsa, ecdsa.open_key(room.maker.private_key), room.maker.certificate, fields)
    used = prepare_seal(ecdsa, seal, who.certificate, ecdsa.open_key(who.private_key))
    document = seal_document(pack(ofd_files()), used, [PLACE], NOW)
    known = evidence(
        anchors=room.anchors, intermediates=room.intermediates, crls=room.crls,
        own_makers=frozenset({room.maker.certificate}),
    )  # fmt: skip
    assert judge(document.data, known).verdict == "VALID"


def test_a_picture_of_a_kind_not_decoded_here_is_refused_at_home_only():
    document = sealed_with(seal_fields(picture=Picture("SVG", b"<svg/>", 42, 42)))
    assert judge(document).failed() == {"references": "STAMP"}
    assert judge(document, evidence(**FOREIGN)).failed() == {}
    assert seal_in_use().seal.picture.kind == "PNG"


def test_openssl_accepts_our_certificates(tmp_path):
    chain = {"root": pki().root, "ca": pki().signer_ca, "leaf": signer()}
    for name, credential in chain.items():
        command = ["openssl", "x509", "-inform", "DER", "-out", f"{name}.pem"]
        subprocess.run(command, cwd=tmp_path, input=credential.certificate, check=True)
    moment = str(int(NOW.timestamp()))
    for issuer, child in (("root", "ca"), ("ca", "leaf")):  # distid reaches the last certificate only
        command = ["openssl", "verify", "-x509_strict", "-partial_chain", "-attime", moment,
                   "-vfyopt", "distid:1234567812345678", "-trusted", f"{issuer}.pem", f"{child}.pem"]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == f"{child}.pem: OK", done.stderr

"""Forms of a token that other authorities write and ours does not; and authorities that are trusted no longer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from services.seal.domain import der
from services.seal.domain.certificates import read_crl
from services.seal.domain.pki import make_crl, make_development_pki
from services.seal.domain.sealing import seal_document
from services.seal.domain.timestamps import TokenWriter, judge_token, make_token, making
from services.seal.domain.timestamps.making import SIGNING_CERTIFICATE, message_imprint
from services.seal.settings import STAMPERS
from tests.unit.seal.sealing_room import NOW, PLACE, evidence, judge, ofd_files, pack, pki, seal_in_use, sm2
from tests.unit.seal.stamping_room import p256, stamper, trust_of

STAMPED, POLICY = b"a signature value", "1.3.6.1.4.1.99999.1"


def test_a_token_of_the_second_suite_holds_too_with_its_default_digest_left_out():
    """RFC 5816: SHA-256 is the default of ESSCertIDv2 and other authorities leave it out."""
    mine = stamper(p256())
    key = p256().open_key(mine.private_key)
    writer = TokenWriter(p256(), key, mine.certificate, POLICY)
    method = der.sequence(der.write_oid(p256().digest_oid))
    short = der.sequence(der.sequence(der.sequence(der.write_octets(p256().digest(mine.certificate)))))
    long = writer._signing_certificate
    assert method in long
    writer._signing_certificate = der.sequence(der.write_oid(SIGNING_CERTIFICATE), der.write(der.SET, short))
    token = writer.token(message_imprint(p256().digest_oid, p256().digest(STAMPED)), 1, NOW)
    assert judge_token(token, STAMPED, trust_of()).fault == ""


@pytest.mark.parametrize(
    ("fraction", "fault"), [(b".5", ""), (b".50", "format"), (b".", "format"), (b"", "")]
)
def test_a_fraction_of_a_second_is_read_in_its_one_form(fraction, fault):
    mine = stamper()
    key = sm2().open_key(mine.private_key)
    moment = NOW.strftime("%Y%m%d%H%M%S").encode() + fraction + b"Z"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making.der, "write_time", lambda _at: der.write(der.GENERALIZED_TIME, moment))
        token = make_token(sm2(), key, mine.certificate, sm2().digest(STAMPED), 3, NOW, POLICY)
    assert judge_token(token, STAMPED, trust_of()).fault.startswith(fault)
    assert bool(judge_token(token, STAMPED, trust_of()).fault) == bool(fault)


@pytest.mark.parametrize(("hours", "fault"), [(-1, "revoked"), (1, "")])
def test_an_authority_that_was_revoked_before_it_stamped_is_not_believed(hours, fault):
    mine = stamper()
    key = sm2().open_key(mine.private_key)
    token = make_token(sm2(), key, mine.certificate, sm2().digest(STAMPED), 3, NOW, POLICY)
    at, now = NOW + timedelta(hours=hours), NOW + timedelta(hours=2)
    known = trust_of()
    lists = [read_crl(make_crl(sm2(), pki().maker_ca, {mine.certificate: at}, 3, NOW + timedelta(hours=1)))]
    judged = judge_token(token, STAMPED, replace(known, crls=lists, now=now))
    assert judged.fault == fault
    assert judge_token(token, STAMPED, known).fault == ""


def test_an_anchor_for_time_is_believed_about_time_only():
    """A root of others' time stamping is no root of seals."""
    strangers = make_development_pki(sm2(), (), NOW - timedelta(days=10))
    abroad = stamper(room=strangers)
    key = sm2().open_key(abroad.private_key)

    def stamp(signature: bytes) -> bytes:
        return make_token(sm2(), key, abroad.certificate, sm2().digest(signature), 3, NOW, POLICY)

    document = seal_document(pack(ofd_files()), seal_in_use(), [PLACE], NOW, stamp).data
    pool = (*pki().intermediates, *strangers.intermediates)
    unknown = evidence(own_makers=frozenset(), intermediates=pool)
    assert judge(document, unknown).unsettled() == {"timestamp": "TIMESTAMP_AUTHORITY"}
    believed = replace(unknown, timestamp_anchors=strangers.anchors)
    assert judge(document, believed).checks["timestamp"] == ("valid", "HOLDS")
    swapped = replace(believed, anchors=(), timestamp_anchors=(*pki().anchors, *strangers.anchors))
    found = judge(document, swapped)
    assert found.checks["timestamp"] == ("valid", "HOLDS")
    assert {"maker_chain", "signer_chain"} <= set(found.unsettled())


@pytest.mark.parametrize(
    ("listed", "sound"),
    [
        ("tsa.service.tongban.internal:8080", True), ("127.0.0.1:8318", True), ("a:1,https://tsa.example.cn/tsr", True),
        ("https://tsa.example.cn/tsr, b.example:443", True), ("", False), ("a", False), ("a:1,", False),
        ("http://tsa.example.cn/tsr", False), ("a:1,,b:2", False), ("https://x y/", False),
    ],
)  # fmt: skip
def test_the_list_of_authorities_is_read_strictly(listed, sound):
    assert bool(re.search(STAMPERS, listed)) is sound

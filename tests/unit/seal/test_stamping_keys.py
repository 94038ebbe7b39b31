"""The time-stamping keys: made by their authority, certified by the maker, exchanged for new ones in time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chassis.errors import Fault
from services.seal.domain.certificates import read_certificate
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.pki import certify
from services.seal.domain.stamping_keys import TIME_STAMPER, read_stamping_request
from services.seal.keystore import SoftwareKeystore
from services.seal.tsa import TsaKeys
from services.seal.tsa.exchange import StampingExchange
from services.seal.tsa.keys import RENEW_BEFORE
from services.seal.usecases.certify_stamping import LIFETIME, StampingIssuer, stamping_certificate
from tests.unit.seal.sealing_room import NOW, pki, sm2, suites
from tests.unit.seal.stamping_room import companion, p256

SECRET = "a-secret-of-the-time-stamping-authority"
BOTH = (sm2(), p256())


class Place:
    """An authority's directory and the one it shares with the maker."""

    def __init__(self, home: Path, secret: str = SECRET) -> None:
        self.own, self.exchange = home / "own", home / "exchange"
        self.keys = TsaKeys(self.own, self.exchange, SoftwareKeystore(secret, purpose="tsa"), suites())
        self.desk = StampingExchange(self.exchange, suites())

    def certified(self, now: datetime) -> int:
        issuers = {
            sm2().name: StampingIssuer(sm2(), pki().maker_ca),
            p256().name: StampingIssuer(p256(), companion().signer_ca),
        }
        waiting = list(self.desk.open_requests())
        for request in waiting:
            self.desk.give(request.key_id, stamping_certificate(issuers[request.suite], request, now))
        return len(waiting)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    assert len(made.keys.prepare(BOTH, NOW)) == 2
    return made


def test_keys_are_usable_once_they_are_certified_and_made_once(place: Place):
    assert place.keys.usable(NOW) == []
    assert place.keys.prepare(BOTH, NOW) == []
    assert place.certified(NOW) == 2
    assert place.certified(NOW) == 0
    usable = place.keys.usable(NOW)
    assert {each.suite.name for each in usable} == {suite.name for suite in BOTH}
    for each in usable:
        certificate = read_certificate(each.certificate)
        assert certificate.public_key == each.key.public_key
        assert (certificate.extended_key_usage, certificate.key_usage) == (
            {"time_stamping"},
            {"digital_signature"},
        )
        assert each.suite.verify(certificate.public_key, each.key.sign(b"x"), b"x")
    assert place.keys.prepare(BOTH, NOW) == []


def test_a_key_near_its_end_gets_a_successor_and_stamps_until_that_is_certified(place: Place):
    place.certified(NOW)
    before = {each.certificate for each in place.keys.usable(NOW)}
    late = NOW + LIFETIME - RENEW_BEFORE + timedelta(days=1)
    assert len(place.keys.prepare(BOTH, late)) == 2
    assert place.keys.prepare(BOTH, late) == []
    assert {each.certificate for each in place.keys.usable(late)} == before
    assert place.certified(late) == 2
    assert not before & {each.certificate for each in place.keys.usable(late)}


def test_an_ended_certificate_is_not_used(place: Place):
    place.certified(NOW)
    assert place.keys.usable(NOW + LIFETIME + timedelta(days=1)) == []


def test_with_another_secret_the_keys_stay_closed(place: Place, tmp_path: Path):
    place.certified(NOW)
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        Place(tmp_path, SECRET[::-1]).keys.usable(NOW)


def request_of(place: Place) -> Path:
    return next(iter(sorted(place.exchange.glob("*.request"))))


FORGED = {
    "another key": {"public_key": "AAAA"},
    "another suite": {"suite": "RSA"},
    "no suite": {"suite": None},
    "an id that is a path": {"key_id": "../../../../etc/passwd"},
    "another id": {"key_id": "00000000-0000-0000-0000-000000000000"},
    "another proof": {"proof": "AAAA"},
    "a proof that is no base64": {"proof": "!"},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_request_that_does_not_prove_possession_is_not_certified(name, place: Place):
    path = request_of(place)
    path.write_text(json.dumps(json.loads(path.read_text()) | FORGED[name]))
    assert len(list(place.desk.open_requests())) == 1  # the sound other one


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff", b"{" + b" " * 5_000 + b"}"])
def test_rubbish_is_no_request(content):
    assert read_stamping_request(content, suites()) is None


def test_a_request_under_another_name_is_not_certified(place: Place):
    path = request_of(place)
    path.rename(path.with_name("00000000-0000-0000-0000-000000000000.request"))
    assert len(list(place.desk.open_requests())) == 1


def test_a_certificate_of_another_key_or_purpose_is_not_used(place: Place):
    until = NOW + timedelta(days=900)
    for path in place.exchange.glob("*.request"):
        strange = certify(sm2(), pki().maker_ca, "x", TIME_STAMPER, NOW, until)
        path.with_suffix(".der").write_bytes(strange.certificate)
    assert place.keys.usable(NOW) == []
    for path in place.exchange.glob("*.request"):
        path.with_suffix(".der").write_bytes(
            certify(sm2(), pki().maker_ca, "x", SIGNER, NOW, until).certificate
        )
    assert place.keys.usable(NOW) == []


def test_an_exchange_that_is_not_there_holds_nothing(tmp_path: Path):
    assert list(StampingExchange(tmp_path / "nowhere", suites()).open_requests()) == []

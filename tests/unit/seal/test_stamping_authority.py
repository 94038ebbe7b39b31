"""Our time-stamping authority: what it answers to every request, its clock, its serial numbers and its keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.seal.domain import der
from services.seal.domain.certificates import read_certificate
from services.seal.domain.timestamps import (
    Failure,
    RequestError,
    judge_token,
    read_request,
    read_response,
    write_request,
)
from services.seal.domain.timestamps.messages import MAX_REQUEST_BYTES, write_refusal
from services.seal.domain.timestamps.reading import read_token
from services.seal.tsa import ForwardClock
from services.seal.tsa.authority import POLICY_OID
from tests.unit.seal.sealing_room import NOW, sm2, suites
from tests.unit.seal.stamping_room import open_stamper, p256, stamper, stamping_authority, trust_of

STAMPED = b"a signature value"
NONCE = 0x1234567890ABCDEF
EXTENSION = der.write(0xA0, der.sequence(der.write_oid("1.2.3.4"), der.write_octets(b"x")))


def algorithm(oid: str | None = None, parameters: bytes = b"") -> bytes:
    return der.sequence(der.write_oid(oid or sm2().digest_oid), parameters)


def imprint(method: bytes | None = None, digest: bytes = sm2().digest(STAMPED)) -> bytes:
    return der.sequence(method or algorithm(), der.write_octets(digest))


def query(*rest: bytes, version: bytes = der.write_integer(1), stamped: bytes | None = None) -> bytes:
    return der.sequence(version, stamped if stamped is not None else imprint(), *rest)


def token_of(answer: bytes):
    response = read_response(answer)
    assert response.status == 0, response
    return read_token(response.token)


@pytest.mark.parametrize("suite", [sm2(), p256()], ids=lambda suite: suite.name)
def test_a_request_is_answered_with_a_token_that_says_what_was_asked(suite):
    answer = stamping_authority().answer(write_request(suite, suite.digest(STAMPED), NONCE))
    result = judge_token(read_response(answer).token, STAMPED, trust_of())
    assert (result.fault, result.trusted, result.generated_at) == ("", True, NOW)
    assert (result.nonce, result.policy_oid) == (der.write_integer(NONCE), POLICY_OID)
    assert token_of(answer).digest_oid == suite.digest_oid
    (authority,) = token_of(answer).certificates
    usage = read_certificate(authority)
    assert (usage.extended_key_usage, usage.extended_key_usage_is_critical) == ({"time_stamping"}, True)


def test_the_imprint_and_the_nonce_come_back_byte_for_byte():
    asked = query(stamped=imprint(algorithm(parameters=b"\x05\x00")))
    answer = stamping_authority().answer(asked)
    info = der.children(der.read(token_of(answer).info_raw))
    assert info[2].raw == imprint(algorithm(parameters=b"\x05\x00"))
    assert token_of(answer).nonce == b""


def test_the_accuracy_is_stated_and_the_time_has_whole_seconds():
    clock = NOW + timedelta(microseconds=999_999)
    answer = stamping_authority(lambda: clock).answer(query())
    info = der.children(der.read(token_of(answer).info_raw))
    assert info[4].raw == der.write_time(NOW)
    assert info[5].raw == der.sequence(der.write_integer(1))


def test_a_certificate_is_sent_only_if_it_was_asked_for_and_the_token_holds_without_it():
    answer = stamping_authority().answer(query())
    assert token_of(answer).certificates == ()
    known = trust_of()
    assert judge_token(read_response(answer).token, STAMPED, known).fault == "certificate"
    with_leaf = stamping_authority()
    own = read_certificate(token_of(with_leaf.answer(query(der.write_boolean(True)))).certificates[0])
    pooled = type(known)(known.suites, known.anchors, [*known.pool, own])
    bare = read_response(with_leaf.answer(query())).token
    assert judge_token(bare, STAMPED, pooled).fault == ""


REFUSED = {
    "nothing": (b"", Failure.BAD_DATA_FORMAT),
    "rubbish": (b"\x00\x01\x02", Failure.BAD_DATA_FORMAT),
    "no sequence": (der.write_integer(1), Failure.BAD_DATA_FORMAT),
    "trailing byte": (query() + b"\x00", Failure.BAD_DATA_FORMAT),
    "indefinite length": (b"\x30\x80" + query()[2:] + b"\x00\x00", Failure.BAD_DATA_FORMAT),
    "length not minimal": (b"\x30\x81" + query()[1:], Failure.BAD_DATA_FORMAT),
    "too long": (query() + bytes(MAX_REQUEST_BYTES), Failure.BAD_DATA_FORMAT),
    "digest too short": (query(stamped=imprint(digest=bytes(31))), Failure.BAD_DATA_FORMAT),
    "digest too long": (query(stamped=imprint(digest=bytes(33))), Failure.BAD_DATA_FORMAT),
    "nonce not minimal": (query(b"\x02\x02\x00\x01"), Failure.BAD_DATA_FORMAT),
    "nonce empty": (query(b"\x02\x00"), Failure.BAD_DATA_FORMAT),
    "nonce enormous": (query(der.write(der.INTEGER, b"\x01" * 65)), Failure.BAD_DATA_FORMAT),
    "default written out": (query(der.write_boolean(False)), Failure.BAD_DATA_FORMAT),
    "empty sequence": (der.sequence(), Failure.BAD_REQUEST),
    "version 2": (query(version=der.write_integer(2)), Failure.BAD_REQUEST),
    "negative version": (query(version=b"\x02\x01\xff"), Failure.BAD_REQUEST),
    "no imprint": (der.sequence(der.write_integer(1)), Failure.BAD_REQUEST),
    "imprint of another form": (query(stamped=der.sequence(algorithm())), Failure.BAD_REQUEST),
    "elements out of order": (query(der.write_boolean(True), der.write_integer(5)), Failure.BAD_REQUEST),
    "policy after the nonce": (query(der.write_integer(5), der.write_oid(POLICY_OID)), Failure.BAD_REQUEST),
    "SHA-1": (query(stamped=imprint(algorithm("1.3.14.3.2.26"), bytes(20))), Failure.BAD_ALG),
    "MD5": (query(stamped=imprint(algorithm("1.2.840.113549.2.5"), bytes(16))), Failure.BAD_ALG),
    "SHA-512": (query(stamped=imprint(algorithm("2.16.840.1.101.3.4.2.3"), bytes(64))), Failure.BAD_ALG),
    "digest with parameters": (query(stamped=imprint(algorithm(parameters=b"\x04\x00"))), Failure.BAD_ALG),
    "another policy": (query(der.write_oid("1.2.3.4.1")), Failure.UNACCEPTED_POLICY),
    "extensions": (query(EXTENSION), Failure.UNACCEPTED_EXTENSION),
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_wrong_request_is_refused_with_its_reason(name):
    asked, failure = REFUSED[name]
    response = read_response(stamping_authority().answer(asked))
    assert (response.status, response.token, response.failures) == (2, b"", (failure,))


@pytest.mark.parametrize(
    "asked", [query(), query(der.write_oid(POLICY_OID)), query(der.write_integer(5), der.write_boolean(True))]
)
def test_their_sound_twins_are_answered(asked):
    assert read_response(stamping_authority().answer(asked)).status == 0


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_the_bit_that_the_rfc_gives_it(failure):
    assert read_response(write_refusal(failure, "为什么")).failures == (failure.value,)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_requests(data):
    try:
        read_request(data, suites())
    except RequestError:
        return


@given(st.integers(0, len(query(der.write_integer(NONCE), der.write_boolean(True))) - 1), st.integers(0, 255))
def test_a_changed_request_is_read_or_refused_and_never_read_as_two(position, byte):
    data = bytearray(query(der.write_integer(NONCE), der.write_boolean(True)))
    data[position] = byte
    try:
        asked = read_request(bytes(data), suites())
    except RequestError:
        return
    again = der.sequence(
        der.write_integer(1), asked.imprint, der.write_oid(asked.policy_oid) if asked.policy_oid else b"",
        asked.nonce, der.write_boolean(True) if asked.certificate_wanted else b"",
    )  # fmt: skip
    assert again == bytes(data)  # one encoding for one meaning


@given(st.integers(0, 2**256), st.booleans(), st.booleans())
def test_what_a_client_writes_is_read_as_it_was_meant(nonce, with_policy, second):
    suite = p256() if second else sm2()
    policy = POLICY_OID if with_policy else None
    asked = read_request(write_request(suite, suite.digest(STAMPED), nonce, policy_oid=policy), suites())
    assert (asked.suite, asked.policy_oid, asked.nonce) == (suite, policy, der.write_integer(nonce))
    assert asked.certificate_wanted


def test_serial_numbers_are_unique_over_restarts_and_positive(tmp_path: Path):
    serials = set()
    for start in range(5):
        at = NOW + timedelta(seconds=3 * start)
        authority = stamping_authority(lambda at=at: at, mark=tmp_path / "mark")
        serials |= {token_of(authority.answer(query())).serial for _ in range(20)}
    assert len(serials) == 100
    assert all(serial.bit_length() == 127 for serial in serials)


def test_after_a_step_of_the_clock_no_token_is_made_until_its_time_comes_again(tmp_path: Path):
    at = [NOW]
    authority = stamping_authority(lambda: at[0], mark=tmp_path / "mark")
    assert token_of(authority.answer(query())).generated_at == NOW
    at[0] = NOW - timedelta(seconds=1)
    response = read_response(authority.answer(query()))
    assert response.failures == (Failure.TIME_NOT_AVAILABLE,)
    at[0] = NOW
    assert token_of(authority.answer(query())).generated_at == NOW


def test_the_time_goes_back_over_no_restart_either(tmp_path: Path):
    mark = tmp_path / "mark"
    before = ForwardClock(lambda: NOW, mark)
    assert before.next() == NOW
    killed = ForwardClock(lambda: NOW - timedelta(hours=1), mark)
    assert killed.next() is None
    assert ForwardClock(lambda: NOW + timedelta(seconds=2), mark).next() == NOW + timedelta(seconds=2)


def test_a_start_after_an_orderly_end_waits_for_nothing_and_after_a_kill_for_two_seconds(tmp_path: Path):
    mark = tmp_path / "mark"
    before = ForwardClock(lambda: NOW, mark)
    assert before.next() == NOW
    assert ForwardClock(lambda: NOW + timedelta(seconds=1), mark).next() is None
    before.close()
    assert ForwardClock(lambda: NOW, mark).next() == NOW


@given(st.lists(st.integers(-5, 5), max_size=40))
def test_times_never_go_back_whatever_the_clock_does(steps):
    import tempfile

    at = [NOW]
    with tempfile.TemporaryDirectory() as place:
        handed: list[datetime] = []
        clock = ForwardClock(lambda: at[0], Path(place) / "mark")
        for number, step in enumerate(steps):
            at[0] += timedelta(seconds=step)
            moment = clock.next()
            handed += [moment] if moment else []
            if number % 7 == 6:
                clock = ForwardClock(lambda: at[0], Path(place) / "mark")
    assert handed == sorted(handed)


def test_outside_the_validity_of_the_certificate_no_token_is_made():
    authority = stamping_authority(lambda: datetime(2040, 1, 1, tzinfo=UTC))
    assert read_response(authority.answer(query())).failures == (Failure.TIME_NOT_AVAILABLE,)


def test_a_suite_without_a_key_is_refused():
    authority = stamping_authority()
    authority.use([open_stamper(p256(), stamper(p256()))])
    assert read_response(authority.answer(query())).failures == (Failure.BAD_ALG,)
    assert authority.suites == (p256().name,)

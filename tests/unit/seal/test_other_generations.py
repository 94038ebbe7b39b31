"""Whole documents of the first and the fifth generation, put together here: read, judged, and forged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

import pytest

from services.seal.domain import der
from services.seal.domain.pki import certify, make_development_pki
from services.seal.domain.structures import write_seal, write_seal_info
from services.seal.domain.suite import SM2_WITH_SM3
from services.seal.domain.verification import verify_document
from tests.unit.seal.negatives.forging import PAGE, edited, forge, swap
from tests.unit.seal.negatives.trust_cases import TSA
from tests.unit.seal.sealing_room import NOW, evidence, judge, pki, seal_fields, signer, sm2
from tests.unit.seal.test_timestamps import token_maker

DAY = timedelta(days=1)
CHINA = timedelta(hours=8)


def utc_time(moment: datetime) -> bytes:
    return der.write(der.UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())


def version(number: int) -> Callable[[bytes], bytes]:
    return lambda _old: der.write_integer(number)


@lru_cache(maxsize=1)
def first_seal() -> bytes:
    """A seal of GM/T 0031-2014: two elements, UTCTime, no list type, signed over three parts."""

    def property_of_one(old: bytes) -> bytes:
        kind, name, _list_type, certificates, *_ = (each.raw for each in der.children(der.read(old)))
        said = seal_fields()
        dates = (utc_time(each) for each in (said.created_at, said.valid_from, said.valid_until))
        return der.sequence(kind, name, certificates, *dates)

    info = edited([2], property_of_one)(edited([0, 1], version(1))(write_seal_info(seal_fields())))
    maker = pki().maker
    certificate, algorithm = der.write_octets(maker.certificate), der.write_oid(SM2_WITH_SM3)
    signature = sm2().open_key(maker.private_key).sign(der.sequence(info, certificate, algorithm))
    return der.sequence(info, der.sequence(certificate, algorithm, der.write_bits(signature)))


def first(
    time: bytes = der.write_bits(utc_time(NOW)), algorithm: str = SM2_WITH_SM3, **steps: object
) -> bytes:
    """Return a document whose signature is of the first generation, its time as given."""

    def tbs(old: bytes) -> bytes:
        _, seal, _, data_hash, info = (each.raw for each in der.children(der.read(old)))
        parties = der.write_octets(signer().certificate), der.write_oid(algorithm)
        return der.sequence(der.write_integer(1), seal, time, data_hash, info, *parties)

    def value(old: bytes) -> bytes:
        signed, _, _, signature = (each.raw for each in der.children(der.read(old)))
        return der.sequence(signed, signature)

    return forge(seal=first_seal(), tbs=tbs, value=value, **steps)  # type: ignore[arg-type]


@lru_cache(maxsize=8)
def fifth_seal(stamp: Callable[[bytes], bytes] | None = None) -> bytes:
    """A seal of GM/T 0031-2025, with a time stamp over its signature where one is given."""
    info = edited([0, 1], version(5))(write_seal_info(seal_fields()))
    maker = pki().maker
    signature = sm2().open_key(maker.private_key).sign(info)
    plain = write_seal(info, maker.certificate, SM2_WITH_SM3, signature)
    if stamp is None:
        return plain
    parts = [each.raw for each in der.children(der.read(plain))]
    return der.sequence(*parts, der.explicit(0, der.write_bits(stamp(signature))))


def fifth(stamp: Callable[[bytes], bytes] | None = None, **steps: object) -> bytes:
    return forge(seal=fifth_seal(stamp), tbs=edited([0], version(5)), **steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [first, fifth], ids=["first", "fifth"])
def test_a_sound_document_of_another_generation_is_valid(make: Callable[[], bytes]) -> None:
    outcome = judge(make())
    assert (outcome.verdict, outcome.failed(), outcome.unsettled()) == ("VALID", {}, {})
    (signature,) = verify_document(make(), evidence()).signatures
    assert (signature.generation, signature.stated_at) == (1 if make is first else 5, NOW)


@pytest.mark.parametrize("make", [first, fifth], ids=["first", "fifth"])
@pytest.mark.parametrize(
    ("steps", "failed"),
    [
        ({"after": swap(PAGE, b"plain", b"plaim")}, {"digests": "DIGEST"}),
        ({"sign": lambda signed: sm2().open_key(signer().private_key).sign(signed + b".")}, {"signature": "SIGNATURE"}),
        ({"sign": lambda signed: sm2().open_key(pki().maker.private_key).sign(signed)}, {"signature": "SIGNATURE"}),
    ],
    ids=["changed page", "another message", "another key"],
)  # fmt: skip
def test_forgeries_of_another_generation_fail_their_check(
    make: Callable[..., bytes], steps: dict[str, object], failed: dict[str, str]
) -> None:
    assert judge(make(**steps)).failed() == failed


WRITTEN = {
    "UTCTime in a bit string": der.write_bits(utc_time(NOW)),
    "GeneralizedTime in a bit string": der.write_bits(der.write_time(NOW)),
    "in an octet string": der.write_octets(utc_time(NOW)),
    "bare": utc_time(NOW),
    "as text, of China": der.write_bits((NOW + CHINA).strftime("%Y-%m-%d %H:%M:%S").encode()),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_the_time_of_the_first_generation_is_read_in_every_form(form: str) -> None:
    (signature,) = verify_document(first(WRITTEN[form]), evidence()).signatures
    assert signature.stated_at == NOW
    assert judge(first(WRITTEN[form])).verdict == "VALID"


@pytest.mark.parametrize("time", [b"yesterday", b"2026-11-22", token_maker()(b"what it was made over")])
def test_a_time_of_the_first_generation_that_says_no_moment_leaves_it_open(time: bytes) -> None:
    outcome = judge(first(der.write_bits(time)))
    assert (outcome.verdict, outcome.failed()) == ("INDETERMINATE", {})
    assert outcome.unsettled()["seal_validity"] == "NO_STATED_TIME"


def test_the_generations_do_not_mix() -> None:
    def in_fourth(seal: bytes) -> dict[str, str]:
        return judge(forge(seal=seal)).failed()

    assert in_fourth(first_seal()) == {"signature": "VERSION"}
    assert in_fourth(fifth_seal()) == {"signature": "VERSION"}
    assert judge(forge(tbs=edited([0], version(5)))).failed() == {"signature": "VERSION"}


def early(**said: object) -> Callable[[bytes], bytes]:
    """Return what stamps with an authority that was there when the seal was made, 90 days ago."""
    authority = certify(sm2(), pki().signer_ca, "时间戳", TSA, NOW - 95 * DAY, NOW + 900 * DAY)
    return token_maker(authority, **said)


@pytest.mark.parametrize(
    ("stamp", "failed", "unsettled"),
    [
        (early(at=NOW - 80 * DAY), {}, {}),
        (early(at=NOW - 80 * DAY, over=b"another seal"), {"timestamp": "TIMESTAMP"}, {}),
        (early(at=NOW - 91 * DAY), {"timestamp": "TIMESTAMP"}, {}),
        (lambda _signature: b"rubbish", {"timestamp": "TIMESTAMP"}, {}),
    ],
    ids=["sound", "over another value", "before the seal was made", "rubbish"],
)
def test_the_time_stamp_of_a_seal_is_judged(
    stamp: Callable[[bytes], bytes], failed: dict[str, str], unsettled: dict[str, str]
) -> None:
    outcome = judge(fifth(stamp))
    assert (outcome.failed(), outcome.unsettled()) == (failed, unsettled)


def test_the_time_stamp_of_a_seal_by_a_stranger_is_open() -> None:
    other = make_development_pki(sm2(), [], NOW - 100 * DAY)
    authority = certify(sm2(), other.signer_ca, "别处", TSA, NOW - 90 * DAY, NOW + DAY)
    outcome = judge(fifth(token_maker(authority, at=NOW - 80 * DAY)))
    assert (outcome.verdict, outcome.unsettled()) == ("INDETERMINATE", {"timestamp": "TIMESTAMP_AUTHORITY"})

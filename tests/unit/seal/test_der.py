"""The strict DER reader and the plain writer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.seal.domain import der
from services.seal.domain.der import DerError
from services.seal.domain.structures import (
    Picture,
    SealFields,
    StructureError,
    VersionMismatch,
    read_seal,
    read_sealed_value,
    signature_tbs,
    signature_value,
    write_seal,
    write_seal_info,
)
from tests.unit.seal.sealing_room import seal_der, seal_fields

MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(st.integers(min_value=0, max_value=1 << 256))
def test_integers_round_trip(value):
    assert der.integer(der.read(der.write_integer(value))) == value


@given(st.binary(max_size=70_000))
def test_strings_of_octets_and_bits_round_trip(value):
    assert der.octets(der.read(der.write_octets(value))) == value
    assert der.bits(der.read(der.write_bits(value))) == value


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 1 << 128), max_size=8))
def test_object_identifiers_round_trip(first, second, rest):
    dotted = ".".join(map(str, [first, second, *rest]))
    assert der.oid(der.read(der.write_oid(dotted))) == dotted


@given(MOMENTS)
def test_times_round_trip(moment):
    assert der.time(der.read(der.write_time(moment))) == moment
    assert der.time(der.read(der.write_certificate_time(moment))) == moment


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_sequences_split_into_their_parts(parts):
    whole = der.sequence(*(der.write_octets(part) for part in parts))
    assert [child.body for child in der.children(der.read(whole))] == parts
    der.check(whole)


@given(st.binary(max_size=64))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_refusing(data):
    for reader in (lambda: der.check(data), lambda: read_seal(data), lambda: read_sealed_value(data)):
        try:
            reader()
        except (DerError, StructureError):
            continue


@pytest.mark.parametrize(
    "data",
    [
        "", "30", "3080", "30800000", "3081013000", "30820001ff", "1f8101", "0400ff", "040501", "3003040100ff",
        "30850000000001ff",
    ],
)  # fmt: skip
def test_lax_encodings_are_refused(data):
    with pytest.raises(DerError):
        der.check(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["0200", "020181", "02020001", "0203000001", "0a020000"])
def test_lax_integers_are_refused(data):
    with pytest.raises(DerError):
        der.integer(der.read(bytes.fromhex(data)))


@pytest.mark.parametrize(
    "text", ["20261122080000", "20261122080000.5Z", "20261122080000+0800", "20261322080000Z", "2026112208Z"]
)
def test_times_in_other_forms_are_refused(text):
    with pytest.raises(DerError):
        der.time(der.read(der.write(der.GENERALIZED_TIME, text.encode())))


def test_unused_bits_are_refused():
    with pytest.raises(DerError):
        der.bits(der.read(bytes.fromhex("03020180")))


@given(
    st.text(max_size=40), st.integers(0, 9), st.binary(max_size=500), st.integers(1, 200),
    st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=3), MOMENTS,
)  # fmt: skip
def test_seals_and_signatures_round_trip(name, kind, image, width, certificates, moment):
    fields = SealFields(
        "v",
        "id",
        kind,
        name,
        tuple(certificates),
        moment,
        moment,
        moment,
        Picture("PNG", image, width, width),
    )
    raw = write_seal(write_seal_info(fields), b"maker", "1.2.156.10197.1.501", b"signature")
    seal = read_seal(raw)
    assert (seal.name, seal.kind, seal.picture.data, seal.certificates) == (
        name,
        kind,
        image,
        tuple(certificates),
    )
    assert (seal.generation, seal.created_at, seal.signed_input) == (4, moment, write_seal_info(fields))
    tbs = signature_tbs(raw, moment, bytes(32), "/Doc_0/Signs/Sign_0/Signature.xml")
    value = read_sealed_value(signature_value(tbs, b"cert", "1.2.156.10197.1.501", b"sig", b"token"))
    assert (value.tbs_raw, value.seal.raw, value.signed_at, value.timestamp) == (tbs, raw, moment, b"token")


def _seal_with(change) -> bytes:
    parts = [part.raw for part in der.children(der.read(seal_der()))]
    return der.sequence(*change(parts))


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts[:3],
        lambda parts: [*parts, der.explicit(0, der.write_bits(b"t")), parts[3]],
        lambda parts: [*parts, parts[3]],
        lambda parts: [parts[1], parts[0], *parts[2:]],
    ],
    ids=["3 elements", "6 elements", "untagged timestamp", "order"],
)  # fmt: skip
def test_seals_of_another_shape_are_refused(change):
    with pytest.raises(StructureError):
        read_seal(_seal_with(change))


@pytest.mark.parametrize(("version", "list_type"), [(1, 1), (3, 1), (4, 2), (4, 3)])
def test_seals_that_contradict_their_header_are_refused(version, list_type):
    info = write_seal_info(seal_fields())
    changed = info.replace(b"\x16\x02ES\x02\x01\x04", b"\x16\x02ES\x02\x01" + bytes([version]), 1)
    marker = "电子印章".encode() + b"\x02\x01"
    changed = changed.replace(marker + b"\x01", marker + bytes([list_type]), 1)
    expected = VersionMismatch if version != 4 else StructureError
    with pytest.raises(expected):
        read_seal(write_seal(changed, b"maker", "1.2.156.10197.1.501", b"s"))


def test_header_5_in_four_elements_is_named_v5():
    info = write_seal_info(seal_fields()).replace(b"\x16\x02ES\x02\x01\x04", b"\x16\x02ES\x02\x01\x05", 1)
    seal = write_seal(info, b"maker", "1.2.156.10197.1.501", b"s")
    assert read_seal(seal).generation == 5
    with pytest.raises(VersionMismatch):
        read_sealed_value(
            signature_value(
                signature_tbs(seal, seal_fields().created_at, bytes(32), "/x"), b"c", "1.2.3", b"s"
            )
        )

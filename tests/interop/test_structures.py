"""Seals and signatures of three generations, read field by field in both code bases."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.seal.domain import der
from services.seal.domain.certificates import read_certificate
from services.seal.domain.structures import Extension, Seal, SealedValue, read_seal, read_sealed_value
from services.seal.domain.structures.reading import StructureError
from tests.interop.forging import VALUE, files
from tests.interop.openssl import openssl
from tests.interop.program import Program, Refused
from tests.unit.seal.sealing_room import make, seal_der, seal_fields, sm2, unpack

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "eseal"
SEALS = {"UserV1.esl": True, "UserV4.esl": True, "UserV5.esl": True, "SESealData-masked.DER": False}
DOCUMENTS = ["V4RideRight.ofd", "allprotected.ofd", "SESV4SignDoc.ofd"]


def vector(name: str) -> bytes:
    if not VECTORS.is_dir():
        pytest.skip("the placed vectors are not beside this checkout")
    return (VECTORS / name).read_bytes()


def milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_read_here(seal: Seal) -> dict[str, Any]:
    return {
        "generation": seal.generation,
        "vendor_id": seal.vendor_id,
        "seal_id": seal.seal_id,
        "picture_kind": seal.picture.kind,
        "picture": text(seal.picture.data),
        "width_mm": seal.picture.width_mm,
        "height_mm": seal.picture.height_mm,
        "kind": seal.kind,
        "name": seal.name,
        "certificates": [
            *map(text, seal.certificates),
            *(f"{name}:{text(value)}" for name, value in seal.certificate_digests),
        ],
        "created_at": milliseconds(seal.created_at),
        "valid_from": milliseconds(seal.valid_from),
        "valid_until": milliseconds(seal.valid_until),
        "maker": text(seal.maker_certificate),
        "algorithm": seal.algorithm,
        "signature": text(seal.signature),
    }


def value_as_read_here(value: SealedValue) -> dict[str, Any]:
    assert value.signed_at is not None
    return {
        "generation": value.generation,
        "seal": as_read_here(value.seal),
        "signed_at": milliseconds(value.signed_at),
        "data_hash": text(value.data_hash),
        "property_info": value.property_info,
        "certificate": text(value.certificate),
        "algorithm": value.algorithm,
        "signature": text(value.signature),
        "timestamp": text(value.timestamp) if value.timestamp else None,
    }


def digest_listed() -> bytes:
    """A v4 seal that lists a certificate's digest instead of the certificate (certListType 2)."""
    seal = read_seal(seal_der())
    listed = der.sequence(der.write_octets(seal.certificates[0]))
    digest = der.sequence(
        der.sequence(
            der.write_text(der.PRINTABLE_STRING, "SM3"), der.write_octets(sm2().digest(seal.certificates[0]))
        )
    )
    info = der.children(der.read(seal.raw))[0]
    properties = der.children(info)[2]
    parts = [part.raw for part in der.children(properties)]
    assert parts[3] == listed
    parts[2:4] = [der.write_integer(2), digest]
    fields = [part.raw for part in der.children(info)]
    fields[2] = der.sequence(*parts)
    rest = [part.raw for part in der.children(der.read(seal.raw))[1:]]
    return der.sequence(der.sequence(*fields), *rest)


def with_critical_extension() -> bytes:
    return make(seal_fields(extensions=(Extension("1.2.3.5", True, b"\x00\xff"),)))


def with_plain_extension() -> bytes:
    return make(seal_fields(extensions=(Extension("1.2.3.4", False, b"note"),)))


@pytest.mark.parametrize(("name", "sound"), SEALS.items())
def test_a_placed_seal_says_the_same_in_both(java: Program, name, sound):
    data = vector(name)
    assert java.ask("parse_seal", seal=data) == as_read_here(read_seal(data))
    assert java.ask("verify_seal_signature", seal=data) is sound


@pytest.mark.parametrize(
    ("write", "sound"),
    [
        (seal_der, True),
        (with_critical_extension, True),
        (digest_listed, False),
        (with_plain_extension, False),
    ],
)
def test_our_seals_say_the_same_in_both(java: Program, write, sound):
    """ofdrw writes `critical FALSE` out when it encodes a seal again, so a plain extension breaks what it verifies."""
    data = write()
    assert java.ask("parse_seal", seal=data) == as_read_here(read_seal(data))
    assert java.ask("verify_seal_signature", seal=data) is sound


@pytest.mark.parametrize("write", [seal_der, with_critical_extension, with_plain_extension])
def test_a_seal_signature_is_over_the_received_info_alone(java: Program, write):
    seal = read_seal(write())
    key = read_certificate(seal.maker_certificate).public_key
    info = der.children(der.read(seal.raw))[0].raw
    assert java.ask("verify_sm2", spki=key, message=info, signature=seal.signature) is True
    assert java.ask("verify_sm2", spki=key, message=seal.raw, signature=seal.signature) is False


def test_the_placed_signed_value_says_the_same_in_both(java: Program):
    data = vector("SignedValueV4.dat")
    assert java.ask("parse_ses_signature", value=data) == value_as_read_here(read_sealed_value(data))
    assert java.ask("verify_ses_signature", value=data) is True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_signed_value_of_a_placed_document_says_the_same_in_both(java: Program, name):
    document = vector(name)
    assert java.ask("verify_ofd", document=document, generation=4)["verdict"] == "VALID"
    values = [data for path, data in unpack(document).items() if path.endswith(".dat")]
    assert values
    for data in values:
        assert java.ask("parse_ses_signature", value=data) == value_as_read_here(read_sealed_value(data))
        assert java.ask("verify_ses_signature", value=data) is True


def test_our_signed_value_says_the_same_in_both_and_its_signature_holds_for_both(java: Program):
    data = files()[VALUE]
    value = read_sealed_value(data)
    assert java.ask("parse_ses_signature", value=data) == value_as_read_here(value)
    assert java.ask("verify_ses_signature", value=data) is True
    broken = data[:-1] + bytes([data[-1] ^ 1])
    assert java.ask("verify_ses_signature", value=broken) is False


def test_the_openssl_command_reads_our_structures_to_the_end(tmp_path):
    for data in (seal_der(), files()[VALUE]):
        done, said = openssl(tmp_path, "asn1parse", "-inform", "DER", "-in", "data", data=data)
        assert done, said
        assert "1.2.156.10197.1.501" in said or "SM2-with-SM3" in said


@pytest.mark.parametrize("size", [0, 1, 40, 400])
def test_what_is_cut_short_is_refused_by_both(java: Program, size):
    short = seal_der()[:size]
    with pytest.raises(Refused):
        java.ask("parse_seal", seal=short)
    with pytest.raises(StructureError):
        read_seal(short)

"""Malformed SES structures: lax DER, wrong counts, versions and times, in the signature and in the seal inside it."""

from __future__ import annotations

from services.seal.domain import der
from services.seal.domain.imprint import round_seal
from services.seal.domain.structures import write_seal_info
from services.seal.domain.suite import SM2_WITH_SM3
from tests.unit.seal.negatives.forging import Case, Edit, always, edited, either, fresh_seal, seal_of, wrong
from tests.unit.seal.sealing_room import pki, seal_der, seal_fields, signer, sm2

TBS, CERTIFICATE, ALGORITHM, SIGNATURE_BITS = range(4)
HEADER, SEAL_ID, PROPERTY, PICTURE = range(4)


def lax(data: bytes) -> bytes:
    """Return the element with its length written in one byte more than needed."""
    tlv = der.read(data)
    size = len(tlv.body)
    return bytes([tlv.tag, 0x80 | 4]) + size.to_bytes(4, "big") + tlv.body


def indefinite(data: bytes) -> bytes:
    tlv = der.read(data)
    return bytes([tlv.tag, 0x80]) + tlv.body + b"\0\0"


def long_tag(data: bytes) -> bytes:
    tlv = der.read(data)
    return b"\x3f\x10" + data[1 : tlv.header_bytes] + tlv.body


def unused_bits(data: bytes) -> bytes:
    body = der.read(data).body
    return der.write(der.BIT_STRING, b"\x01" + body[1:])


def without_last(data: bytes) -> bytes:
    return _with(data, lambda parts: parts[:-1])


def with_null(data: bytes) -> bytes:
    return _with(data, lambda parts: [*parts, b"\x05\x00"])


def _with(data: bytes, change) -> bytes:
    tlv = der.read(data)
    return der.write(tlv.tag, b"".join(change([child.raw for child in der.children(tlv)])))


def _value(name: str, edit: Edit, check: str = "signature", reason: str = "FORMAT") -> Case:
    """One element of the SES_Signature changed, after it was signed."""
    return Case(f"signature: {name}", check, reason, wrong(value=edit))


def _tbs(name: str, edit: Edit, check: str = "signature", reason: str = "FORMAT") -> Case:
    """One element of TBS_Sign changed before it was signed."""
    return Case(f"signed part: {name}", check, reason, wrong(tbs=edit))


def _info(name: str, edit: Edit, check: str = "signature", reason: str = "FORMAT") -> Case:
    """One element of eSealInfo changed before the maker signed it; the signature embeds that seal."""
    return Case(
        f"seal: {name}",
        check,
        reason,
        either(lambda: {"seal": seal_of(edit=edit)}, lambda: {"seal": seal_of()}),
    )


def _seal(name: str, edit: Edit, check: str = "signature", reason: str = "FORMAT") -> Case:
    """One element of the SESeal changed after the maker signed its info."""
    return Case(f"seal: {name}", check, reason, either(lambda: {"seal": edit(seal_der())}, dict))


def stamp(text: str, tag: int = der.GENERALIZED_TIME) -> Edit:
    return always(der.write(tag, text.encode()))


def three_part_signature() -> bytes:
    info, maker = write_seal_info(seal_fields()), pki().maker
    three = der.sequence(info, der.write_octets(maker.certificate), der.write_oid(SM2_WITH_SM3))
    return fresh_seal(info, maker, three)


def digests_under_type_one(info: bytes) -> bytes:
    one = der.sequence(
        der.write_text(der.PRINTABLE_STRING, "SM3"), der.write_octets(sm2().digest(signer().certificate))
    )
    return edited((PROPERTY, 3), always(der.sequence(one)))(info)


def swapped_picture(info: bytes) -> bytes:
    return edited((PICTURE, 1), always(der.write_octets(round_seal("别的单位").data)))(info)


CASES = [
    _value("rubbish", always(b"rubbish")),
    _value("nothing", always(b"")),
    _value("a trailing byte", lambda data: data + b"\0"),
    _value("an indefinite length", indefinite),
    _value("a length that is not minimal", lax),
    _value("a tag of two bytes", long_tag),
    _value("a cut end", lambda data: data[:-1]),
    _value("three elements", without_last),
    _value("six elements", lambda data: with_null(with_null(data))),
    _value("a fifth element that is no timestamp", with_null),
    _value("unused bits in the signature", edited((SIGNATURE_BITS,), unused_bits)),
    _value("a bit string for the certificate", edited((CERTIFICATE,), always(der.write_bits(b"x")))),
    _value("an algorithm cut short", edited((ALGORITHM,), always(b"\x06\x01\x81"))),
    _value("an algorithm that is not minimal", edited((ALGORITHM,), always(b"\x06\x03\x80\x2a\x01"))),
    _value("a changed property", lambda data: data.replace(b"/Doc_0/Signs", b"/Doc_9/Signs", 1), reason="SIGNATURE"),
    _value("a changed stated time", edited((TBS, 2), stamp("20261122080001Z")), reason="SIGNATURE"),
    _tbs("version five around a seal of version four", edited((0,), always(der.write_integer(5))), reason="VERSION"),
    _tbs("version one around a seal of version four", edited((0,), always(der.write_integer(1))), reason="VERSION"),
    _tbs("a negative version", edited((0,), always(b"\x02\x01\xfc"))),
    _tbs("a version that is not minimal", edited((0,), always(b"\x02\x02\x00\x04"))),
    _tbs("UTCTime", edited((2,), stamp("261122080000Z", der.UTC_TIME))),
    _tbs("a time without Z", edited((2,), stamp("20261122080000"))),
    _tbs("a time with a fraction", edited((2,), stamp("20261122080000.5Z"))),
    _tbs("a time with an offset", edited((2,), stamp("20261122160000+0800"))),
    _tbs("month thirteen", edited((2,), stamp("20261322080000Z"))),
    _tbs("four elements", without_last),
    _tbs("seven elements", lambda data: with_null(with_null(data))),
    _tbs("a property that is not ASCII", edited((4,), always(der.write(der.IA5_STRING, b"\xff\xfe")))),
    _tbs("unused bits in the data hash", edited((3,), unused_bits)),
    _info("another mark than ES", edited((HEADER, 0), always(der.write_text(der.IA5_STRING, "SE")))),
    _info("version two", edited((HEADER, 1), always(der.write_integer(2))), reason="VERSION"),
    _info("version one in four elements", edited((HEADER, 1), always(der.write_integer(1))), reason="VERSION"),
    _info("version five inside a signature of four", edited((HEADER, 1), always(der.write_integer(5))), reason="VERSION"),
    _info("UTCTime in version four", edited((PROPERTY, 4), stamp("260824080000Z", der.UTC_TIME))),
    _info("list type three", edited((PROPERTY, 2), always(der.write_integer(3)))),
    _info("list type two with certificates", edited((PROPERTY, 2), always(der.write_integer(2)))),
    _info("list type one with digests", digests_under_type_one),
    _info("an empty list of certificates", edited((PROPERTY, 3), always(der.sequence())), "certlist", "SIGNER_NOT_IN_SEAL"),
    _info("a negative width", edited((PICTURE, 2), always(b"\x02\x01\xd6"))),
    _info("info of six elements", lambda data: with_null(with_null(data))),
    _seal("three elements", without_last),
    _seal("six elements", lambda data: with_null(with_null(data))),
    _seal("unused bits in its signature", edited((3,), unused_bits)),
    _seal("a swapped picture", edited((0,), swapped_picture), "seal_signature", "SEAL_SIGNATURE"),
    _seal("another owner's name", lambda data: data.replace("局电子印章".encode(), "局财务印章".encode()), "seal_signature", "SEAL_SIGNATURE"),
    _seal("the mistyped algorithm", edited((2,), always(der.write_oid("1.2.156.10197.501"))), "seal_signature", "ALGORITHM_MISMATCH"),
    Case("seal: signed over three parts, as version one would", "seal_signature", "SEAL_SIGNATURE",
         either(lambda: {"seal": three_part_signature()}, lambda: {"seal": seal_of()})),
    Case("signature: a GB/T 35275 message", "signature", "NOT_A_SEAL",
         wrong(value=always(der.sequence(der.write_oid("1.2.156.10197.6.1.4.2.2"), b"\xa0\x00"))), result="indeterminate"),
    Case("signature: a bare SM2 signature", "signature", "NOT_A_SEAL",
         wrong(value=always(der.sequence(der.write_integer(5), der.write_integer(7)))), result="indeterminate"),
]  # fmt: skip

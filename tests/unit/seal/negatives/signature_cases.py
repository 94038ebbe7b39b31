"""Forgeries of Signature.xml and of the signature value: what it names, where it stamps, whose it is."""

from __future__ import annotations

import base64
import re
from datetime import timedelta

from services.seal.domain import der
from services.seal.domain.suite import ECDSA_WITH_SHA256
from tests.unit.seal.negatives.forging import (
    FONT,
    SEAL,
    SIGNATURE,
    VALUE,
    Case,
    abroad,
    always,
    edited,
    either,
    forge,
    fresh_seal,
    swap,
    wrong,
)
from tests.unit.seal.sealing_room import (
    NOW,
    make,
    pki,
    seal_fields,
    seal_in_use,
    sealed,
    signer,
    sm2,
    unpack,
)

N = sm2().curve_order
STRANGER = "玉山县消防救援大队"


def _xml(name: str, reason: str, change, check: str = "references", **known) -> Case:
    return Case(f"Signature.xml: {name}", check, reason, wrong(xml=change), **known)


def first_value(new: bytes):
    return lambda xml: re.sub(rb"<ofd:CheckValue>.{44}</", b"<ofd:CheckValue>" + new + b"</", xml, count=1)


def added(path: str):
    value = base64.b64encode(sm2().digest(unpack(sealed().data).get(path, b"")))
    entry = f'<ofd:Reference FileRef="/{path}"><ofd:CheckValue>'.encode() + value
    return lambda xml: xml.replace(
        b"</ofd:References>", entry + b"</ofd:CheckValue></ofd:Reference></ofd:References>"
    )


def method(stated: str | None):
    attribute = b"" if stated is None else f' CheckMethod="{stated}"'.encode()
    return lambda xml: xml.replace(b' CheckMethod="1.2.156.10197.1.401"', attribute)


def without(path: str):
    pattern = rf'<ofd:Reference FileRef="/{re.escape(path)}">.*?</ofd:Reference>'.encode()
    return lambda xml: re.sub(pattern, b"", xml)


def replaced(old: bytes, new: bytes):
    def change(xml: bytes) -> bytes:
        assert old in xml
        return xml.replace(old, new, 1)

    return change


def pair(r: int, s: int) -> bytes:
    return der.sequence(der.write_integer(r), der.write_integer(s))


def numbers(message: bytes) -> tuple[int, int]:
    parts = der.children(der.read(seal_in_use().key.sign(message)))
    return der.integer(parts[0]), der.integer(parts[1])


def _signed(name: str, sign) -> Case:
    return Case(f"SM2: {name}", "signature", "SIGNATURE", wrong(sign=sign))


def turned(message: bytes) -> bytes:
    r, s = numbers(message)
    return pair(r, N - s)


def raw_form(message: bytes) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers(message))


def padded(message: bytes) -> bytes:
    r, s = numbers(message)
    return der.sequence(der.write(der.INTEGER, bytes(2) + r.to_bytes(32, "big")), der.write_integer(s))


def of_another_document(bad: bool) -> bytes:
    other = unpack(sealed(2).data)[VALUE]
    return forge(after=(lambda files: files | {VALUE: other}) if bad else dict)


def other_seal_file(bad: bool) -> bytes:
    """Put another seal beside the signature, properly protected, than the one inside it."""
    other = make(seal_fields(seal_id="other"))
    if not bad:
        return forge()
    return forge(before=lambda files: files | {SEAL: other})


def second_seal(bad: bool) -> bytes:
    if not bad:
        return forge()
    entry = f'<ofd:Signature ID="9" Type="Seal" BaseLoc="/{SIGNATURE.replace("Sign_0", "Sign_1")}"/></ofd:Signatures>'
    files = swap("Doc_0/Signs/Signatures.xml", b"</ofd:Signatures>", entry.encode())(unpack(forge()))
    from tests.unit.seal.sealing_room import pack

    return pack(files | {name.replace("Sign_0", "Sign_1"): files[name] for name in (SIGNATURE, VALUE, SEAL)})


def digest_listed(certificate: bytes, method_name: str = "SM3") -> bytes:
    """Return a seal that lists its user by a digest (certListType 2)."""
    from services.seal.domain.structures import write_seal_info

    one = der.sequence(
        der.write_text(der.PRINTABLE_STRING, method_name), der.write_octets(sm2().digest(certificate))
    )
    info = edited((2, 3), always(der.sequence(one)))(write_seal_info(seal_fields()))
    return fresh_seal(edited((2, 2), always(der.write_integer(2)))(info))


CASES = [
    _xml("a file that is not there", "REFERENCE", added("Doc_0/Res/none.ttf")),
    _xml("a file named twice", "REFERENCE", added(FONT)),
    _xml("a check value of 31 bytes", "REFERENCE", first_value(base64.b64encode(bytes(31)))),
    _xml("a check value that is no base64", "REFERENCE", first_value(b"????")),
    _xml("the check value of another file", "DIGEST", first_value(base64.b64encode(bytes(32))), "digests"),
    _xml("no digest method, which means MD5", "WEAK_DIGEST", method(None)),
    _xml("MD5", "WEAK_DIGEST", method("MD5")),
    _xml("MD5 by its identifier", "WEAK_DIGEST", method("1.2.840.113549.2.5")),
    _xml("SHA-1", "WEAK_DIGEST", method("SHA1")),
    _xml("an unknown digest method", "OTHER_DIGEST", method("WHIRLPOOL"), result="indeterminate"),
    _xml("SHA-256 in the SM2 suite", "OTHER_DIGEST", method("SHA-256"), result="indeterminate"),
    _xml("the root left out", "COVERAGE", without("OFD.xml"), "coverage"),
    _xml("a font left out", "COVERAGE", without(FONT), "coverage"),
    _xml("a page left out, abroad", "COVERAGE", without("Doc_0/Pages/Page_0/Content.xml"), "coverage",
         known=abroad, result="indeterminate"),
    _xml("a stamp on no page", "STAMP", replaced(b'PageRef="1"', b'PageRef="7"')),
    _xml("a stamp off its page", "STAMP", replaced(b'Boundary="130 220', b'Boundary="190 220')),
    _xml("a clip outside the box", "STAMP", replaced(b'42 42"/>', b'42 42" Clip="30 0 20 42"/>')),
    _xml("a box of words", "XML", replaced(b'Boundary="130 220', b'Boundary="x 220'), "container"),
    _xml("no signed value", "XML", replaced(b"SignedValue.dat", b"None.dat"), "container"),
    _xml("two signed infos", "XML", replaced(b"</ofd:SignedInfo>", b"</ofd:SignedInfo><ofd:SignedInfo/>"), "container"),
    Case("a stamp moved after signing", "digests", "DATA_HASH",
         wrong(after=swap(SIGNATURE, b'Boundary="130', b'Boundary="120'))),
    Case("the value of another document", "digests", "DATA_HASH", of_another_document),
    Case("a data hash of 31 bytes", "digests", "DATA_HASH", wrong(tbs=edited((3,), always(der.write_bits(bytes(31)))))),
    Case("a data hash of 33 bytes", "digests", "DATA_HASH", wrong(tbs=edited((3,), always(der.write_bits(bytes(33)))))),
    Case("a seal added after one in whole mode", "digests", "DIGEST", second_seal, also={"coverage": "COVERAGE"}),
    Case("another seal beside the signature", "certlist", "SEAL_MISMATCH", other_seal_file),
    Case("a copied seal in a stranger's hand", "certlist", "SIGNER_NOT_IN_SEAL",
         either(lambda: {"who": pki().signers[STRANGER]}, lambda: {"who": signer()})),
    Case("a stranger and a seal that lists digests", "certlist", "SIGNER_NOT_IN_SEAL",
         either(lambda: {"seal": digest_listed(pki().signers[STRANGER].certificate)},
                lambda: {"seal": digest_listed(signer().certificate)})),
    Case("a listed digest that calls itself MD5", "certlist", "SIGNER_NOT_IN_SEAL",
         either(lambda: {"seal": digest_listed(signer().certificate, "MD5")},
                lambda: {"seal": digest_listed(signer().certificate, "1.2.156.10197.1.401")})),
    Case("a time in the future", "timestamp", "FUTURE", wrong(at=NOW + timedelta(hours=2))),
    _signed("another message", lambda message: seal_in_use().key.sign(message + b"\0")),
    _signed("another key", lambda message: sm2().open_key(pki().signers[STRANGER].private_key).sign(message)),
    _signed("the empty identity", lambda message: seal_in_use().key.sign(message, b"")),
    _signed("another identity", lambda message: seal_in_use().key.sign(message, b"TLSv1.3+GM+Cipher+Suite")),
    _signed("a trailing byte", lambda message: seal_in_use().key.sign(message) + b"\0"),
    _signed("r of zero", lambda message: pair(0, numbers(message)[1])),
    _signed("s of zero", lambda message: pair(numbers(message)[0], 0)),
    _signed("r plus the order", lambda message: pair(N + 5, numbers(message)[1])),
    _signed("s turned round, as ECDSA would accept", turned),
    _signed("64 plain bytes", raw_form),
    _signed("a number with leading zeros", padded),
    _signed("nothing", lambda _message: b""),
    Case("SM2: the mistyped algorithm", "signature", "ALGORITHM_MISMATCH", wrong(oid="1.2.156.10197.501")),
    Case("SM2: ECDSA on an SM2 key", "signature", "ALGORITHM_MISMATCH", wrong(oid=ECDSA_WITH_SHA256),
         also={"digests": "DATA_HASH"}),
    Case("SM2: an algorithm that is not built in", "signature", "SUITE", wrong(oid="1.2.840.113549.1.1.11"),
         result="indeterminate"),
]  # fmt: skip

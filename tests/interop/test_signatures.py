"""SM2 with SM3 in four independent code bases: ours (libcrypto), Bouncy Castle, GmSSL, and the openssl command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import gmssl_pyx
import pytest

from services.seal.domain import der
from services.seal.domain.suite import SM2_ID
from tests.interop.openssl import IDENTITY, openssl
from tests.interop.program import Program
from tests.unit.seal.sealing_room import sm2

KNOWN_ANSWERS = Path(__file__).parents[3] / "shared" / "vectors" / "eseal" / "kat.json"
LONGEST = 72  # octets of a signature whose two numbers both need a leading zero; the command reads no further
MESSAGES = [b"", b"a licence", bytes(range(256)) * 5]


@dataclass(frozen=True)
class Pair:
    """One key in the forms that the four want."""

    private: bytes
    spki: bytes

    @property
    def point(self) -> bytes:
        return self.spki[-64:]

    @property
    def scalar(self) -> bytes:
        return self.private[self.private.index(b"\x02\x01\x01\x04\x20") + 5 :][:32]


@lru_cache(maxsize=1)
def pair() -> Pair:
    private = sm2().generate_key()
    return Pair(private, sm2().open_key(private).public_key)


def by_us(message, **_others) -> bytes:
    return sm2().open_key(pair().private).sign(message)


def by_bouncy_castle(message, java, **_others) -> bytes:
    return java.ask_bytes("sign_sm2", key=pair().private, message=message)


def by_gmssl(message, **_others) -> bytes:
    return gmssl_pyx.sm2_sign(pair().scalar, pair().point, message)


def by_openssl(message, directory, **_others) -> bytes:
    done, said = openssl(
        directory, "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", IDENTITY, "-keyform", "DER",
        "-inkey", "key", "-in", "message", "-out", "signature", key=pair().private, message=message,
    )  # fmt: skip
    assert done, said
    return (directory / "signature").read_bytes()


def holds_here(message, signature, **_others) -> bool:
    return sm2().verify(pair().spki, signature, message)


def holds_for_bouncy_castle(message, signature, java, **_others) -> bool:
    return java.ask("verify_sm2", spki=pair().spki, message=message, signature=signature)


def holds_for_gmssl(message, signature, **_others) -> bool:
    return gmssl_pyx.sm2_verify(pair().point, message, signature)


def holds_for_openssl_dgst(message, signature, directory, **_others) -> bool:
    agreed, said = openssl(
        directory, "dgst", "-sm3", "-verify", "spki", "-keyform", "DER", "-signature", "signature", "-sigopt",
        IDENTITY, "message", spki=pair().spki, message=message, signature=signature,
    )  # fmt: skip
    assert agreed == (said.strip() == "Verified OK"), said
    return agreed


def holds_for_openssl_pkeyutl(message, signature, directory, **_others) -> bool:
    return openssl(
        directory, "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", IDENTITY, "-pubin", "-keyform", "DER",
        "-inkey", "spki", "-in", "message", "-sigfile", "signature", spki=pair().spki, message=message,
        signature=signature,
    )[0]  # fmt: skip


SIGNERS = [by_us, by_bouncy_castle, by_gmssl, by_openssl]
JUDGES = [
    holds_here, holds_for_bouncy_castle, holds_for_gmssl, holds_for_openssl_dgst, holds_for_openssl_pkeyutl,
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=["empty", "short", "long"])
@pytest.mark.parametrize("sign", SIGNERS)
def test_everyone_accepts_everyones_signature_and_no_other_message(java: Program, tmp_path, sign, message):
    others = {"java": java, "directory": tmp_path}
    signature = sign(message, **others)
    assert {judge.__name__: judge(message, signature, **others) for judge in JUDGES} == {
        judge.__name__: True for judge in JUDGES
    }
    assert not any(judge(message + b"x", signature, **others) for judge in JUDGES)


def test_without_the_signers_id_openssl_agrees_with_nobody(tmp_path):
    signature = by_us(b"m")
    agreed, _ = openssl(
        tmp_path, "dgst", "-sm3", "-verify", "spki", "-keyform", "DER", "-signature", "signature", "message",
        spki=pair().spki, message=b"m", signature=signature,
    )  # fmt: skip
    assert not agreed


def test_a_trailing_byte_is_refused_here_though_the_openssl_command_overlooks_it(java: Program, tmp_path):
    whole = next(found for found in iter(lambda: by_us(b"m"), None) if len(found) == LONGEST)
    longer = whole + b"\0"
    assert not holds_here(b"m", longer)
    assert holds_for_openssl_dgst(b"m", longer, directory=tmp_path)
    assert not holds_for_bouncy_castle(b"m", longer, java=java)


def test_bouncy_castle_judges_the_placed_answers_as_their_file_says(java: Program):
    if not KNOWN_ANSWERS.is_file():
        pytest.skip("the placed vectors are not beside this checkout")
    known = json.loads(KNOWN_ANSWERS.read_text())
    spki = bytes.fromhex(known["key"]["spki_der"])
    wrong = []
    for kind, field, good in (("sm2_sign", "sig_der", True), ("sm2_verify_negative", "sig_hex", False)):
        entries = [entry for entry in known[kind] if entry["id_ascii"] == SM2_ID.decode()]
        assert entries
        for entry in entries:
            given = {"message": entry["msg_ascii"].encode(), "signature": bytes.fromhex(entry[field])}
            if java.ask("verify_sm2", spki=spki, **given) is not good:
                wrong.append(entry["name"])
            assert sm2().verify(spki, given["signature"], given["message"]) is good
    assert wrong == []


def test_the_openssl_command_reads_the_two_numbers_of_our_signature(tmp_path):
    signature = by_us(b"m")
    done, said = openssl(tmp_path, "asn1parse", "-inform", "DER", "-in", "signature", signature=signature)
    assert done
    numbers = [der.integer(part) for part in der.children(der.read(signature))]
    printed = [int(line.rsplit(":", 1)[1], 16) for line in said.splitlines() if "INTEGER" in line]
    assert printed == numbers

"""SM2 and SM3 against the published sample, the placed vectors, and two independent implementations."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import gmssl_pyx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from services.seal.domain.suite import ECDSA_WITH_SHA256, signature_numbers
from services.seal.providers.libcrypto import CRYPTOGRAPHY_UNSOUND, KEY_REFUSED, Library
from services.seal.providers.selftest import self_test
from services.seal.providers.sm2 import Sm2Suite
from tests.unit.seal import plain_sm2
from tests.unit.seal.sealing_room import sm2, suites

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "eseal"
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the placed vectors are not beside this checkout"
)
KAT = json.loads((VECTORS / "kat.json").read_text()) if VECTORS.is_dir() else {}


def entries(key: str) -> list:
    return [
        pytest.param(entry, id=entry.get("name", str(index))) for index, entry in enumerate(KAT.get(key, []))
    ]


@needs_vectors
@pytest.mark.parametrize("entry", entries("sm3"))
def test_sm3_gives_the_published_digests(entry):
    assert sm2().digest(entry["msg_ascii"].encode()).hex() == entry["digest"]


@needs_vectors
@pytest.mark.parametrize("entry", entries("sm2_sign"))
def test_known_signatures_verify(entry):
    spki = bytes.fromhex(KAT["key"]["spki_der"])
    good = sm2().verify(
        spki, bytes.fromhex(entry["sig_der"]), entry["msg_ascii"].encode(), entry["id_ascii"].encode()
    )
    assert good
    assert signature_numbers(bytes.fromhex(entry["sig_der"]), sm2().curve_order) == (
        int(entry["r"], 16),
        int(entry["s"], 16),
    )


@needs_vectors
@pytest.mark.parametrize("entry", entries("z"))
def test_the_digest_of_an_identity_is_the_published_one(entry):
    public_key = (int(KAT["key"]["px"], 16), int(KAT["key"]["py"], 16))
    assert plain_sm2.identity_digest(entry["id_ascii"].encode(), public_key).hex() == entry["z"]
    assert sm2().digest(bytes.fromhex(entry["preimage_hex"])).hex() == entry["z"]
    assert entry["preimage_hex"].startswith(entry["entl"] + entry["id_ascii"].encode().hex())


@needs_vectors
@pytest.mark.parametrize("entry", entries("sm2_sign"))
def test_plain_integers_give_every_number_of_a_known_signature(entry):
    public_key = (int(KAT["key"]["px"], 16), int(KAT["key"]["py"], 16))
    z = plain_sm2.identity_digest(entry["id_ascii"].encode(), public_key)
    e = plain_sm2.message_number(z, entry["msg_ascii"].encode())
    point, r, s = plain_sm2.signed(int(KAT["key"]["d"], 16), int(entry["k"], 16), e)
    assert [z.hex(), f"{e:064x}"] == [entry["z"], entry["e"]]
    assert [f"{number:064x}" for number in (*point, r, s)] == [entry[name] for name in ("x1", "y1", "r", "s")]
    assert plain_sm2.verifies(public_key, r, s, e)
    assert not plain_sm2.verifies(public_key, r, s, e + 1)


@needs_vectors
def test_nothing_of_the_known_answers_is_left_out():
    counts = {
        name: len(KAT[name]) for name in ("sm3", "z", "sm2_sign", "sm2_verify_negative", "public_key_import")
    }
    assert counts == {"sm3": 3, "z": 3, "sm2_sign": 7, "sm2_verify_negative": 25, "public_key_import": 8}


def test_plain_integers_accept_what_libcrypto_signs():
    key = sm2().open_key(sm2().generate_key())
    public_key = (int.from_bytes(key.public_key[-64:-32], "big"), int.from_bytes(key.public_key[-32:], "big"))
    r, s = signature_numbers(key.sign(b"a licence"), sm2().curve_order)
    e = plain_sm2.message_number(plain_sm2.identity_digest(b"1234567812345678", public_key), b"a licence")
    assert plain_sm2.verifies(public_key, r, s, e)


@needs_vectors
@pytest.mark.parametrize("entry", entries("sm2_verify_negative"))
def test_malformed_and_foreign_signatures_are_refused(entry):
    spki = bytes.fromhex(KAT["key"]["spki_der"])
    assert not sm2().verify(
        spki, bytes.fromhex(entry["sig_hex"]), entry["msg_ascii"].encode(), entry["id_ascii"].encode()
    )


@needs_vectors
@pytest.mark.parametrize("entry", entries("public_key_import"))
def test_only_the_canonical_public_key_is_imported(entry):
    assert sm2().accepts_key(bytes.fromhex(entry["spki_hex"])) == (entry["expect"] == "accept")


@needs_vectors
def test_the_published_private_key_opens_to_its_public_key():
    key = sm2().open_key(bytes.fromhex(KAT["key"]["ec_private_key_der"]))
    assert key.public_key.hex() == KAT["key"]["spki_der"]


def test_the_self_test_passes_and_fails_closed():
    self_test(Sm2Suite(Library()))

    class Deaf(Sm2Suite):
        def verify(self, *_args, **_named):
            return True

    with pytest.raises(Fault) as refusal:
        self_test(Deaf(Library()))
    assert refusal.value.reason is CRYPTOGRAPHY_UNSOUND
    assert refusal.value.metadata["step"] == "other message"


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=300))
def test_gmssl_and_libcrypto_accept_each_others_signatures(message):
    private = sm2().generate_key()
    key = sm2().open_key(private)
    point = key.public_key[-64:]
    assert gmssl_pyx.sm2_verify(point, message, key.sign(message))
    scalar = private[private.index(b"\x02\x01\x01\x04\x20") + 5 :][:32]
    assert sm2().verify(key.public_key, gmssl_pyx.sm2_sign(scalar, point, message), message)
    assert gmssl_pyx.sm3_hash(message) == sm2().digest(message)


def test_the_openssl_command_accepts_our_signature(tmp_path):
    key = sm2().open_key(sm2().generate_key())
    (tmp_path / "message").write_bytes(b"a licence")
    (tmp_path / "signature").write_bytes(key.sign(b"a licence"))
    (tmp_path / "key.der").write_bytes(key.public_key)
    command = [
        "openssl", "dgst", "-sm3", "-verify", "key.der", "-keyform", "DER", "-signature", "signature",
        "-sigopt", "distid:1234567812345678", "message",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Verified OK", done.stderr


def test_two_signatures_of_one_message_differ():
    key = sm2().open_key(sm2().generate_key())
    assert key.sign(b"m") != key.sign(b"m")


def test_a_key_of_another_curve_is_refused():
    ecdsa = suites().by_signature(ECDSA_WITH_SHA256)
    with pytest.raises(Fault) as refusal:
        sm2().open_key(ecdsa.generate_key())
    assert refusal.value.reason is KEY_REFUSED
    with pytest.raises(Fault):
        ecdsa.open_key(sm2().generate_key())
    with pytest.raises(Fault):
        sm2().open_key(b"no key at all")


def test_the_second_suite_signs_and_verifies():
    ecdsa = suites().by_signature(ECDSA_WITH_SHA256)
    key = ecdsa.open_key(ecdsa.generate_key())
    signature = key.sign(b"m")
    assert ecdsa.verify(key.public_key, signature, b"m")
    assert not ecdsa.verify(key.public_key, signature, b"n")
    assert not ecdsa.verify(key.public_key, signature + b"\0", b"m")
    assert not sm2().verify(key.public_key, signature, b"m")

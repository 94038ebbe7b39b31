"""The signer over a PKCS#11 token (SoftHSM): keys that cannot leave, rotation, a token that goes and comes back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Fault
from services.seal.clients import RemoteSigner
from services.seal.keystore import SoftwareKeystore
from services.seal.signer import SoftwareVault
from tests.integration.seal.signer_room import PIN, SECRET, SOFTHSM, signer_process, soft_token
from tests.stacks.needs import unavailable
from tests.unit.seal.sealing_room import suites

SM2, ECDSA = "SM2-SM3", "ECDSA-P256-SHA256"


@pytest.fixture
def token() -> Iterator[dict[str, str]]:
    if SOFTHSM is None:
        unavailable("SoftHSM is missing: apt-get install softhsm2")
    with soft_token() as settings:
        yield settings


def sessions(settings: dict[str, str]) -> Any:
    from services.seal.signer.token_sessions import TokenSessions

    return TokenSessions(settings["PKCS11_MODULE"], settings["PKCS11_TOKEN"], settings["PKCS11_PIN"])


def vault(settings: dict[str, str], former: SoftwareKeystore | None = None) -> Any:
    from services.seal.signer.open_keys import OpenKeys
    from services.seal.signer.token_vault import TokenVault

    return TokenVault(suites(), sessions(settings), former=former, opened=OpenKeys(kept_seconds=0))


def sound(ours: Any, name: str, key_id: str, wrapped: bytes, public_key: bytes) -> bool:
    suite = suites().by_name(name)
    assert suite is not None
    return suite.verify(public_key, ours.sign(name, key_id, wrapped, b"m"), b"m")


def test_nothing_in_the_token_can_be_taken_out_and_no_sm2_key_is_made_there(token: dict[str, str]) -> None:
    from pkcs11 import Attribute, KeyType, ObjectClass

    ours = vault(token)
    ours.generate(SM2, "sm2-key")
    ours.generate(ECDSA, "ecdsa-key")
    with ours._sessions.session() as session:
        private = list(session.opened.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
        secret = list(session.opened.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))
        assert [key.label for key in private] == ["ecdsa-key"]
        assert [key.key_type for key in secret] == [KeyType.AES]
        for key in (*private, *secret):
            assert key[Attribute.SENSITIVE]
            assert not key[Attribute.EXTRACTABLE]
            assert key[Attribute.NEVER_EXTRACTABLE]


def test_the_self_test_leaves_no_key_behind(token: dict[str, str]) -> None:
    from pkcs11 import Attribute, ObjectClass

    from services.seal.signer import prove_vault

    ours = vault(token)
    prove_vault(ours, suites())
    ours._sessions.close()
    with ours._sessions.session() as session:
        assert list(session.opened.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})) == []


def test_a_tokens_key_signs_ecdsa_only(token: dict[str, str]) -> None:
    ours = vault(token)
    made = ours.generate(ECDSA, "k")
    assert sound(ours, ECDSA, "k", made.wrapped_key, made.public_key)
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        ours.sign(SM2, "k", made.wrapped_key, b"m")


def test_a_key_asked_for_twice_is_two_keys_that_both_sign(token: dict[str, str]) -> None:
    ours = vault(token)
    first, second = ours.generate(ECDSA, "k"), ours.generate(ECDSA, "k")
    assert first.public_key != second.public_key
    for made in (first, second):
        assert sound(ours, ECDSA, "k", made.wrapped_key, made.public_key)


def test_keys_of_the_software_keystore_move_under_the_token(token: dict[str, str]) -> None:
    keystore = SoftwareKeystore(SECRET, purpose="seal")
    made = SoftwareVault(suites(), keystore).generate(SM2, "k")
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        vault(token).sign(SM2, "k", made.wrapped_key, b"m")
    ours = vault(token, keystore)
    assert sound(ours, SM2, "k", made.wrapped_key, made.public_key)
    assert not ours.is_newest("k", made.wrapped_key)
    again = ours.rewrap("k", made.wrapped_key)
    assert sound(vault(token), SM2, "k", again, made.public_key)


def test_the_tokens_key_rotates_by_jobs_beside_the_running_signer(token: dict[str, str]) -> None:
    with signer_process(token, secret="") as running:
        with contextlib.closing(RemoteSigner(running.socket, suites())) as signer:
            assert signer.check() == "pkcs11"
            made, other = signer.generate(SM2, "k"), signer.generate(ECDSA, "e")
            assert running.spawn("new-token-key").wait(30) == 0, running.log
            again = signer.rewrap("k", made.wrapped_key)
            assert again != made.wrapped_key
            assert signer.rewrap("e", other.wrapped_key) == other.wrapped_key
            assert running.spawn("drop-token-keys").wait(30) == 0, running.log
            running.stop()
            running.start()
            assert signer.open(SM2, "k", again, made.public_key).sign(b"m")
            assert signer.open(ECDSA, "e", other.wrapped_key, other.public_key).sign(b"m")
            with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
                signer.open(SM2, "k", made.wrapped_key, made.public_key).sign(b"m")
        assert PIN not in running.log


def test_a_lost_token_is_unavailable_and_its_return_is_noticed(token: dict[str, str]) -> None:
    place = Path(os.environ["SOFTHSM2_CONF"]).parent
    with (
        signer_process(token, secret="") as running,
        contextlib.closing(RemoteSigner(running.socket, suites())) as signer,
    ):
        keys = {name: signer.generate(name, name) for name in (SM2, ECDSA)}
        for _ in range(2):
            (place / "tokens").rename(place / "gone")
            with pytest.raises(Fault, match="SIGNER_UNAVAILABLE"):
                signer.check()
            for name, made in keys.items():
                with contextlib.suppress(Fault):  # an opened SM2 key works for some seconds more
                    assert signer.open(name, name, made.wrapped_key, made.public_key).sign(b"m")
            with pytest.raises(Fault, match="SIGNER_UNAVAILABLE"):
                signer.generate(ECDSA, "more")
            (place / "gone").rename(place / "tokens")
            for name, made in keys.items():
                assert signer.open(name, name, made.wrapped_key, made.public_key).sign(b"m")


def test_a_wrong_pin_or_an_absent_token_refuses_to_serve(token: dict[str, str]) -> None:
    for changed in ({"PKCS11_PIN": "000000"}, {"PKCS11_TOKEN": "another"}, {"PKCS11_MODULE": "/nowhere.so"}):
        with pytest.raises(AssertionError, match="SIGNER_UNAVAILABLE"), signer_process({**token, **changed}):
            pass

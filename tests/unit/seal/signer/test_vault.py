"""The software vault, its rotation and its self-test; a key that was rotated while it was kept ready."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chassis.errors import Fault
from services.seal.keystore import SoftwareKeystore
from services.seal.providers.ecdsa import EcdsaSuite
from services.seal.providers.libcrypto import CRYPTOGRAPHY_UNSOUND
from services.seal.providers.selftest import self_test_ecdsa
from services.seal.signer import LocalSigner, SoftwareVault, prove_vault
from services.seal.signer.open_keys import OpenKeys
from services.seal.usecases.ports import NewKey
from services.seal.usecases.signing import KEYSTORE_UNREADABLE, SIGNER_UNAVAILABLE, KeptKey
from tests.unit.seal.sealing_room import suites

FIRST, SECOND = "the-first-secret-of-thirty-two-characters", "the-second-secret-of-thirty-two-characters"


def vault(secret: str = FIRST, ask: Callable[[], str] | None = None) -> SoftwareVault:
    return SoftwareVault(suites(), SoftwareKeystore(secret, purpose="seal", ask=ask))


def test_a_sound_vault_proves_itself() -> None:
    prove_vault(vault(), suites())


class Answering(SoftwareVault):
    """A vault that does one thing wrong."""

    def __init__(self, wrong: str) -> None:
        super().__init__(suites(), SoftwareKeystore(FIRST, purpose="seal"))
        self.wrong = wrong
        self._kept: dict[str, NewKey] = {}

    def sign(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        if self.wrong == "constant":
            message = b""
        if self.wrong == "unbound":
            key_id = key_id.removesuffix("-other")
        if self.wrong == "other suite":
            suite = "ECDSA-P256-SHA256"
            key_id, wrapped_key = "x", self.generate(suite, "x").wrapped_key
        return super().sign(suite, key_id, wrapped_key, message)

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        return wrapped_key[:-1] if self.wrong == "spoils" else super().rewrap(key_id, wrapped_key)


@pytest.mark.parametrize(
    ("wrong", "step"),
    [
        ("constant", "SM2-SM3: signature"),
        ("unbound", "SM2-SM3: bound to its id"),
        ("other suite", "SM2-SM3: signature"),
        ("spoils", "SM2-SM3: newest after encrypting anew"),
    ],
)
def test_a_vault_that_does_it_wrong_is_refused_by_name(wrong: str, step: str) -> None:
    with pytest.raises(Fault, match="SEAL_CRYPTOGRAPHY_UNSOUND") as refused:
        prove_vault(Answering(wrong), suites())
    assert refused.value.metadata["step"] == f"software vault, {step}"


class Lenient(EcdsaSuite):
    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        return super().verify(public_key, signature, message) or message != b"sample"


def test_the_second_suite_is_proved_too() -> None:
    self_test_ecdsa(EcdsaSuite())
    with pytest.raises(Fault, match=CRYPTOGRAPHY_UNSOUND.code) as refused:
        self_test_ecdsa(Lenient())
    assert refused.value.metadata["step"] == "ECDSA other message"


def test_a_rotation_of_the_secret_is_noticed_and_a_retired_one_opens_nothing() -> None:
    said = [FIRST]
    ours = vault(ask=lambda: said[0])
    made = ours.generate("SM2-SM3", "k")
    assert ours.is_newest("k", made.wrapped_key)
    said[0] = f"{SECOND}\n{FIRST}"
    assert not ours.is_newest("k", made.wrapped_key)
    again = ours.rewrap("k", made.wrapped_key)
    assert again != made.wrapped_key
    assert ours.rewrap("k", again) == again
    suite = suites().by_name("SM2-SM3")
    assert suite is not None
    for wrapped in (made.wrapped_key, again):
        assert suite.verify(made.public_key, ours.sign("SM2-SM3", "k", wrapped, b"m"), b"m")
    late = vault(SECOND)
    assert late.sign("SM2-SM3", "k", again, b"m")
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        late.sign("SM2-SM3", "k", made.wrapped_key, b"m")


def test_an_opened_private_key_is_wiped_at_the_end_of_its_use() -> None:
    keystore = SoftwareKeystore(FIRST, purpose="seal")
    wrapped = keystore.wrap("k", b"a private key")
    with keystore.opened("k", wrapped) as private_key:
        assert bytes(private_key) == b"a private key"
    assert bytes(private_key) == bytes(13)


class Failing:
    """A key whose next answers are laid down."""

    public_key = b"public"

    def __init__(self, *answers: bytes | Fault) -> None:
        self.answers = list(answers)

    def sign(self, message: bytes) -> bytes:
        del message
        answer = self.answers.pop(0)
        if isinstance(answer, Fault):
            raise answer
        return answer


def test_a_kept_key_that_no_longer_opens_was_rotated_and_is_taken_anew() -> None:
    forgotten: list[bool] = []
    unreadable = KEYSTORE_UNREADABLE(key_id="k")
    key = KeptKey("k", Failing(b"s", SIGNER_UNAVAILABLE(why="x"), unreadable), lambda: forgotten.append(True))
    assert key.sign(b"m") == b"s"
    with pytest.raises(Fault, match="SIGNER_UNAVAILABLE"):
        key.sign(b"m")
    assert forgotten == []
    with pytest.raises(Fault, match="KEY_REWRAPPED"):
        key.sign(b"m")
    assert forgotten == [True]


def test_a_key_that_never_opened_is_unreadable() -> None:
    key = KeptKey("k", Failing(KEYSTORE_UNREADABLE(key_id="k")), lambda: None)
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        key.sign(b"m")


def test_the_local_signer_answers_as_its_vault() -> None:
    signer = LocalSigner(vault())
    made = signer.generate("ECDSA-P256-SHA256", "k")
    key = signer.open("ECDSA-P256-SHA256", "k", made.wrapped_key, made.public_key)
    suite = suites().by_name("ECDSA-P256-SHA256")
    assert suite is not None
    assert suite.verify(made.public_key, key.sign(b"m"), b"m")
    assert signer.rewrap("k", made.wrapped_key) == made.wrapped_key


def test_a_vault_keeps_keys_open_for_as_long_as_it_was_told() -> None:
    opened = OpenKeys(kept_seconds=0)
    ours = SoftwareVault(suites(), SoftwareKeystore(FIRST, purpose="seal"), opened)
    assert ours._opened is opened
    ours.sign("SM2-SM3", "k", ours.generate("SM2-SM3", "k").wrapped_key, b"m")
    assert len(opened) == 0

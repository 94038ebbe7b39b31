"""One contract for the port Signer, run against software in process, the process, and the process over a token."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.errors import Fault
from services.seal.clients import RemoteSigner
from services.seal.domain.suite import signature_numbers
from services.seal.keystore import SoftwareKeystore
from services.seal.signer import LocalSigner, SoftwareVault
from tests.integration.seal.signer_room import SECRET, SOFTHSM, signer_process, soft_token
from tests.stacks.needs import unavailable
from tests.unit.seal.sealing_room import suites

SUITES = ("SM2-SM3", "ECDSA-P256-SHA256")
MESSAGE = b"a message of some length" * 40
AnySigner = LocalSigner | RemoteSigner


@contextlib.contextmanager
def in_process() -> Iterator[AnySigner]:
    yield LocalSigner(SoftwareVault(suites(), SoftwareKeystore(SECRET, purpose="seal")))


@contextlib.contextmanager
def process() -> Iterator[AnySigner]:
    with signer_process() as running, contextlib.closing(RemoteSigner(running.socket, suites())) as signer:
        yield signer


@contextlib.contextmanager
def token_process() -> Iterator[AnySigner]:
    if SOFTHSM is None:
        unavailable("SoftHSM is missing: apt-get install softhsm2")
    with (
        soft_token() as settings,
        signer_process(settings) as running,
        contextlib.closing(RemoteSigner(running.socket, suites())) as signer,
    ):
        yield signer


@pytest.fixture(scope="module", params=[in_process, process, token_process], ids=lambda each: each.__name__)
def signer(request: pytest.FixtureRequest) -> Iterator[AnySigner]:
    with request.param() as made:
        yield made


@pytest.mark.parametrize("name", SUITES)
def test_a_generated_key_signs_and_the_suite_agrees(signer: AnySigner, name: str) -> None:
    suite = suites().by_name(name)
    assert suite is not None
    made = signer.generate(name, "key-1")
    assert suite.accepts_key(made.public_key)
    key = signer.open(name, "key-1", made.wrapped_key, made.public_key)
    assert key.public_key == made.public_key
    first, second = key.sign(MESSAGE), key.sign(MESSAGE)
    assert first != second
    for signature in (first, second):
        assert signature_numbers(signature, suite.curve_order)
        assert suite.verify(made.public_key, signature, MESSAGE)


@pytest.mark.parametrize("name", SUITES)
def test_a_key_is_bound_to_its_id(signer: AnySigner, name: str) -> None:
    made = signer.generate(name, "key-2")
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        signer.open(name, "key-3", made.wrapped_key, made.public_key).sign(MESSAGE)


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize(
    "spoil",
    [lambda key: b"", lambda key: key[:-1], lambda key: key[:-1] + bytes([key[-1] ^ 1]), lambda key: b"\x09" + key[1:]],
    ids=["nothing", "short", "altered", "another kind"],
)  # fmt: skip
def test_a_spoilt_key_is_refused(signer: AnySigner, name: str, spoil: Callable[[bytes], bytes]) -> None:
    made = signer.generate(name, "key-4")
    key = signer.open(name, "key-4", spoil(made.wrapped_key), made.public_key)
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        key.sign(MESSAGE)


def test_a_key_of_one_suite_signs_nothing_for_the_other(signer: AnySigner) -> None:
    for name, other in (SUITES, SUITES[::-1]):
        made = signer.generate(name, "key-5")
        with pytest.raises(Fault, match=r"KEYSTORE_UNREADABLE|SEAL_KEY_REFUSED"):
            signer.open(other, "key-5", made.wrapped_key, made.public_key).sign(MESSAGE)


@pytest.mark.parametrize("name", SUITES)
def test_rewrapping_a_newest_key_changes_nothing(signer: AnySigner, name: str) -> None:
    made = signer.generate(name, "key-6")
    assert signer.rewrap("key-6", made.wrapped_key) == made.wrapped_key
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        signer.rewrap("key-6", made.wrapped_key[:-1])


def test_an_unknown_suite_is_refused(signer: AnySigner) -> None:
    with pytest.raises(Fault, match="SIGNER_SUITE_UNKNOWN"):
        signer.generate("RSA", "key-7")


@pytest.mark.parametrize("name", SUITES)
def test_many_threads_get_sound_signatures(signer: AnySigner, name: str) -> None:
    suite = suites().by_name(name)
    assert suite is not None
    keys = {f"key-8-{n}": signer.generate(name, f"key-8-{n}") for n in range(3)}

    def sign(number: int) -> bool:
        key_id, made = list(keys.items())[number % 3]
        message = MESSAGE + number.to_bytes(4)
        signature = signer.open(name, key_id, made.wrapped_key, made.public_key).sign(message)
        return suite.verify(made.public_key, signature, message)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(sign, range(200)))

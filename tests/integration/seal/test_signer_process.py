"""The signer as a process: who may reach it, what it refuses, how it dies and comes back, how its secret rotates."""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from chassis.errors import Fault
from cli.keeping import key_files
from services.seal.app.signer import open_door
from services.seal.clients import RemoteSigner
from services.seal.clients.signer import WRONG
from services.seal.keystore import SoftwareKeystore
from services.seal.settings import SealSignerSettings
from services.seal.signer import SoftwareVault
from tests.integration.seal.signer_room import SECRET, SignerProcess, signer_process
from tests.unit.seal.sealing_room import suites

SM2 = "SM2-SM3"


@pytest.fixture
def running() -> Iterator[SignerProcess]:
    with signer_process() as process:
        yield process


@pytest.fixture
def signer(running: SignerProcess) -> Iterator[RemoteSigner]:
    with contextlib.closing(RemoteSigner(running.socket, suites())) as made:
        yield made


def test_the_socket_is_its_own_users_alone(running: SignerProcess) -> None:
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(running.socket.parent.stat().st_mode) == 0o700
    assert [path.name for path in running.socket.parent.iterdir()] == [running.socket.name]


def test_it_has_no_network_address(running: SignerProcess) -> None:
    assert running.process is not None
    handles = Path(f"/proc/{running.process.pid}/fd").iterdir()
    inodes = {str(handle.readlink()) for handle in handles}
    lines = [
        line for kind in ("tcp", "tcp6", "udp", "udp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    ]  # fmt: skip
    assert not [line for line in lines if f"socket:[{line.split()[9]}]" in inodes]


def test_its_health_is_a_command(running: SignerProcess) -> None:
    assert running.spawn("signer-health").wait(30) == 0
    running.kill()
    assert running.spawn("signer-health").wait(30) == 1


def refused(process: SignerProcess) -> tuple[int, str]:
    spawned = process.spawn()
    return spawned.wait(30), process.log


def test_a_directory_open_to_others_is_refused(running: SignerProcess) -> None:
    running.stop()
    running.socket.parent.chmod(0o755)
    status, log = refused(running)
    assert status == 1
    assert "SIGNER_SOCKET_NOT_CLOSED" in log


@pytest.mark.parametrize(("secret", "status"), [("short", 1), ("", 2)])
def test_without_a_good_secret_it_does_not_serve(running: SignerProcess, secret: str, status: int) -> None:
    running.stop()
    running.secret.write_text(secret)
    found, log = refused(running)
    assert found == status
    assert ("KEYSTORE_SECRET_SHORT" if secret else "TONGBAN_SEALSIGNER_KEYSTORE_KEY") in log


def test_a_socket_that_others_could_have_made_is_not_asked(
    running: SignerProcess, signer: RemoteSigner
) -> None:
    running.socket.parent.chmod(0o750)
    with pytest.raises(Fault, match="SIGNER_UNAVAILABLE") as told:
        signer.generate(SM2, "k")
    assert told.value.metadata["why"] == "the socket is not closed to others"


class Lying(SoftwareVault):
    """Signs something else."""

    def sign(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        return super().sign(suite, key_id, wrapped_key, message + b".")


@contextlib.contextmanager
def served(directory: Path, vault: SoftwareVault, **settings: int) -> Iterator[RemoteSigner]:
    said = SealSignerSettings(socket=directory / "s", keystore_key=SECRET, **settings)  # type: ignore[arg-type]
    server = open_door(said, vault)
    try:
        with contextlib.closing(RemoteSigner(directory / "s", suites())) as signer:
            yield signer
    finally:
        server.stop(0).wait()


@pytest.fixture
def short() -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        import tempfile

        yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s-"))) / "d"


def test_a_wrong_signature_never_leaves(short: Path) -> None:
    before = WRONG._value.get()
    with served(short, Lying(suites(), SoftwareKeystore(SECRET, purpose="seal"))) as signer:
        made = signer.generate(SM2, "k")
        with pytest.raises(Fault, match="SIGNER_ANSWER_WRONG"):
            signer.open(SM2, "k", made.wrapped_key, made.public_key).sign(b"m")
    assert WRONG._value.get() == before + 1


class Slow(SoftwareVault):
    """Signs when it is told to."""

    def __init__(self) -> None:
        super().__init__(suites(), SoftwareKeystore(SECRET, purpose="seal"))
        self.go = Event()

    def sign(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        assert self.go.wait(20)
        return super().sign(suite, key_id, wrapped_key, message)


def test_more_callers_than_it_takes_are_refused_at_once_and_may_come_again(short: Path) -> None:
    vault = Slow()
    with served(short, vault, threads=2, waiting=4) as signer, ThreadPoolExecutor(12) as pool:
        made = signer.generate(SM2, "k")
        key = signer.open(SM2, "k", made.wrapped_key, made.public_key)
        calls = [pool.submit(key.sign, b"m") for _ in range(12)]
        end = time.monotonic() + 10
        while sum(call.done() for call in calls) < 8:
            assert time.monotonic() < end
            time.sleep(0.01)
        vault.go.set()
        faults = [call.exception(20) for call in calls]
        assert sum(fault is None for fault in faults) == 4
        assert {fault.code for fault in faults if isinstance(fault, Fault)} == {"SIGNER_UNAVAILABLE"}
        assert key.sign(b"m")


def test_a_caller_who_waits_too_long_is_told_and_the_others_go_on(short: Path) -> None:
    vault = Slow()
    with served(short, vault) as signer:
        made = signer.generate(SM2, "k")
        with contextlib.closing(RemoteSigner(short / "s", suites(), deadline_seconds=0.2)) as hasty:
            with pytest.raises(Fault, match="SIGNER_UNAVAILABLE") as told:
                hasty.open(SM2, "k", made.wrapped_key, made.public_key).sign(b"m")
            assert told.value.metadata["why"] == "deadline passed"
            assert hasty.check() == "software"
        vault.go.set()


def test_a_killed_signer_is_unavailable_and_the_first_call_after_its_return_succeeds(
    running: SignerProcess, signer: RemoteSigner
) -> None:
    made = signer.generate(SM2, "k")
    key = signer.open(SM2, "k", made.wrapped_key, made.public_key)
    for _ in range(3):
        assert key.sign(b"m")
        running.kill()
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(Fault, match="SIGNER_UNAVAILABLE"):
                key.sign(b"m")
        assert time.monotonic() - began < 2
        running.start()


def test_a_successor_takes_over_without_a_call_failing(running: SignerProcess, signer: RemoteSigner) -> None:
    made = signer.generate(SM2, "k")
    key = signer.open(SM2, "k", made.wrapped_key, made.public_key)
    over = Event()

    def call() -> int:
        count = 0
        while not over.is_set():
            assert key.sign(b"m")
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call) for _ in range(4)]
        for _ in range(2):
            before, successor = running.process, running.spawn()
            running.await_ready(successor)
            assert before is not None
            before.terminate()
            assert before.wait(30) == 0, running.log
            running.process = successor
        over.set()
        assert all(each.result(20) for each in calls)


def test_the_secret_rotates_under_a_running_signer(running: SignerProcess, signer: RemoteSigner) -> None:
    made = signer.generate(SM2, "k")
    assert signer.rewrap("k", made.wrapped_key) == made.wrapped_key
    key_files.rotate_secret(running.secret)
    again = signer.rewrap("k", made.wrapped_key)
    assert again != made.wrapped_key
    key_files.retire_secrets(running.secret)
    assert signer.open(SM2, "k", again, made.public_key).sign(b"m")
    running.stop()
    running.start()
    assert signer.open(SM2, "k", again, made.public_key).sign(b"m")
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        signer.open(SM2, "k", made.wrapped_key, made.public_key).sign(b"m")


def test_no_key_and_no_secret_stands_in_its_log(running: SignerProcess, signer: RemoteSigner) -> None:
    made = signer.generate(SM2, "k")
    with contextlib.suppress(Fault):
        signer.open(SM2, "other", made.wrapped_key, made.public_key).sign(b"m")
    running.stop()
    assert SECRET not in running.log
    assert made.wrapped_key.hex() not in running.log
    assert "KEYSTORE_UNREADABLE" in running.log


def test_the_job_that_needs_a_token_says_so(running: SignerProcess) -> None:
    done = running.spawn("new-token-key")
    assert done.wait(30) == 1
    assert "SIGNER_WITHOUT_TOKEN" in running.log

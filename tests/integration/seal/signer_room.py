"""A signer process of one's own, over software or over a SoftHSM token. Not a test module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOFTHSM = next(
    (path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")) if path.is_file()),
    None,
)  # fmt: skip
SECRET, PIN, TOKEN = "secret-of-the-signer-for-tests-only-0001", "123456", "tongban"
START_SECONDS = 30.0


@dataclass
class SignerProcess:
    """The process and what it was started with; the secret lies in a file that tests may change."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.secrets = self.home / "secrets"
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secret = self.secrets / "tongban_sealsigner_keystore_key"
        self.socket = self.home / "run" / "s.sock"

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
        own = {"SOCKET": self.socket, "READY_FILE": self.home / "ready", **self.settings}
        return {
            **plain,
            "TONGBAN_SECRETS_DIR": str(self.secrets),
            **{f"TONGBAN_SEALSIGNER_{name}": str(value) for name, value in own.items()},
        }

    def spawn(self, word: str = "signer") -> subprocess.Popen[bytes]:
        with (self.home / "signer.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "services.seal", word],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def start(self) -> None:
        """Have it running and ready."""
        self.process = self.spawn()
        self.await_ready(self.process)

    def await_ready(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._marked(process.pid):
            assert process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as kill -9 does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; return its status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    @property
    def log(self) -> str:
        return (self.home / "signer.log").read_text()

    def _marked(self, pid: int) -> bool:
        try:
            return int((self.home / "ready").read_text()) == pid
        except (OSError, ValueError):
            return False


@contextmanager
def signer_process(
    settings: dict[str, str] | None = None, *, secret: str = SECRET
) -> Iterator[SignerProcess]:
    """Run a signer for the block, its directory short enough for a socket; none outlives it."""
    home = Path(tempfile.mkdtemp(prefix="signer-"))
    signer = SignerProcess(home, settings or {})
    signer.secret.write_text(secret)
    try:
        signer.start()
        yield signer
    finally:
        if signer.process is not None and signer.process.poll() is None:
            signer.process.kill()
            signer.process.wait()
        shutil.rmtree(home)


@contextmanager
def soft_token() -> Iterator[dict[str, str]]:
    """Give the environment and settings of a fresh SoftHSM token; the caller has seen that SoftHSM is there."""
    home = Path(tempfile.mkdtemp(prefix="token-"))
    (home / "tokens").mkdir()
    conf = home / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    try:
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "87654321"],
            check=True, capture_output=True,
        )  # fmt: skip
        yield {"PKCS11_MODULE": str(SOFTHSM), "PKCS11_TOKEN": TOKEN, "PKCS11_PIN": PIN}
    finally:
        os.environ.pop("SOFTHSM2_CONF")
        if before is not None:
            os.environ["SOFTHSM2_CONF"] = before
        shutil.rmtree(home)

"""A real Keycloak on this machine's Java, of the version that the deployment's profile ``idp`` names.

The distribution comes from Maven Central, once, checked by its digest and kept in the cache. Where it cannot be
had the tests are skipped by name, except in CI: there they fail.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.local.authority import Authority
from cli.local.ports import LOOPBACK, free_port
from tests.stacks.needs import unavailable

VERSION = "26.2.5"
SHA256 = "31c298273557bd53270905ae63c1522e319d2137ccce17318171864be496d699"
ADMINISTRATOR = "administrator"
START_SECONDS, BUILD_SECONDS, FETCH_SECONDS = 300, 300, 420
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_BUILT = ("--db=dev-mem",)


@dataclass(frozen=True)
class Keycloak:
    """A server that answers, and its administration."""

    address: str
    authority: Authority
    password: str

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.address,
            verify=ssl.create_default_context(cafile=str(self.authority.root_file)),
            timeout=30,
            trust_env=False,
        )

    def put(self, path: str, content: dict[str, Any], *, method: str = "POST") -> None:
        """Create or change something below ``/admin/realms``."""
        with self.client() as client:
            given = {"grant_type": "password", "client_id": "admin-cli", "username": ADMINISTRATOR}
            answer = client.post(
                "/realms/master/protocol/openid-connect/token", data={**given, "password": self.password}
            )
            bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
            done = client.request(method, f"/admin/realms{path}", json=content, headers=bearer)
            assert done.is_success, f"{path}: {done.status_code} {done.text}"


@contextmanager
def keycloak(directory: Path, authority: Authority) -> Iterator[Keycloak]:
    """Yield a server over TLS that keeps everything in memory; its process is gone afterwards."""
    home = _distribution()
    files = authority.leaf("keycloak", "keycloak", authority.local_names)
    port, password = free_port(), secrets.token_urlsafe(24)
    made = Keycloak(f"https://{LOOPBACK}:{port}", authority, password)
    command = [
        str(home / "bin" / "kc.sh"), "start", "--optimized", "--cache=local", f"--hostname={made.address}",
        f"--http-host={LOOPBACK}", f"--https-port={port}", f"--http-management-port={free_port()}",
        f"--https-certificate-file={files.certificate}", f"--https-certificate-key-file={files.key}",
    ]  # fmt: skip
    given = {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR, "KC_BOOTSTRAP_ADMIN_PASSWORD": password}
    log = directory / "keycloak.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment() | given,
            start_new_session=True,
        )
    try:
        _await(made, process, log)
        yield made
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _await(made: Keycloak, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with made.client() as client:
        while True:
            try:
                if client.get("/realms/master/.well-known/openid-configuration").is_success:
                    return
            except httpx.TransportError:
                pass
            assert process.poll() is None, log.read_text(errors="replace")[-3_000:]
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-3_000:]
            time.sleep(0.3)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KC_", "JAVA_OPTS"))}
    return kept | {"JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx400m"}


def _distribution() -> Path:
    """Return the unpacked distribution, made ready for a quick start."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tongban" / "keycloak"
    home = cache / f"keycloak-{VERSION}-{SHA256[:12]}"
    if home.is_dir():
        return home
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            unavailable(f"no Keycloak to be had: {program} is missing")
    making = cache / f".making-{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        _fetch(making)
        unpacked = making / f"keycloak-{VERSION}"
        subprocess.run(
            [str(unpacked / "bin" / "kc.sh"), "build", *_BUILT],
            check=True,
            capture_output=True,
            timeout=BUILD_SECONDS,
            env=_environment(),
        )
        if not home.is_dir():  # another worker may have been quicker
            unpacked.rename(home)
    except (OSError, subprocess.SubprocessError) as problem:
        unavailable(f"no Keycloak to be had: {problem}")
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return home


def _fetch(making: Path) -> None:
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    subprocess.run(
        ["mvn", "-B", "-q", _COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={making}"],
        check=True,
        capture_output=True,
        timeout=FETCH_SECONDS,
        cwd=making,
    )
    archive = next(making.glob("*.zip"))
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        message = f"{archive.name} is not the published file"
        raise OSError(message)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(making)
    archive.unlink()
    (making / f"keycloak-{VERSION}" / "bin" / "kc.sh").chmod(0o755)

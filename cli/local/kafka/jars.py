"""The broker's jars: resolved once with Maven, checked against jars.lock before every use.

`python -m cli.local.kafka` resolves them anew and rewrites the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local.kafka.faults import KAFKA_JARS_DIFFER, KAFKA_JARS_UNAVAILABLE, KAFKA_TOOL_MISSING

_HERE = Path(__file__).parent
_LOCK = _HERE / "jars.lock"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_MAVEN_TIMEOUT_SECONDS = 600


def jars() -> Path:
    """Return a directory that holds exactly the jars of jars.lock, fetching them if need be.

    The directory is ``TONGBAN_KAFKA_LIBS``, else ``.tongban/kafka-libs`` of the checkout.
    Raises KAFKA_TOOL_MISSING, KAFKA_JARS_UNAVAILABLE or KAFKA_JARS_DIFFER.
    """
    cache = _cache()
    with _exclusive(cache):
        if not cache.is_dir():
            _fetch_into(cache)
        _demand_locked(cache)
    return cache


def _cache() -> Path:
    chosen = os.environ.get("TONGBAN_KAFKA_LIBS")
    if chosen:
        return Path(chosen).absolute()
    checkout = _HERE.parents[2]
    home = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return home / ".tongban" / "kafka-libs"


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Hold the cache for this process: parallel test workers must not fetch twice."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_name(cache.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch_into(target: Path) -> None:
    """Make ``target`` whole or not at all."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KAFKA_TOOL_MISSING(tool="Maven (mvn)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="kafka-libs-") as scratch:
        shutil.copy(_HERE / "pom.xml", scratch)
        command = [maven, "-B", "-q", _COPY, "-DincludeScope=runtime", "-DoutputDirectory=libs"]
        try:
            done = subprocess.run(
                command,
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=_MAVEN_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise KAFKA_JARS_UNAVAILABLE(detail=f"Maven took over {_MAVEN_TIMEOUT_SECONDS} s") from None
        if done.returncode != 0:
            raise KAFKA_JARS_UNAVAILABLE(detail=(done.stdout + done.stderr).strip()[-600:])
        (Path(scratch) / "libs").rename(target)


def _demand_locked(directory: Path) -> None:
    locked = dict(_parse(_LOCK.read_text()))
    found = dict(_parse(_listing(directory)))
    wrong = sorted(name for name in locked.keys() | found.keys() if locked.get(name) != found.get(name))
    if wrong:
        raise KAFKA_JARS_DIFFER(names=", ".join(wrong))


def _listing(directory: Path) -> str:
    """Return one line `sha256  file name` per jar, sorted by name."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(directory.glob("*.jar"))
    )


def _parse(listing: str) -> Iterator[tuple[str, str]]:
    for line in listing.splitlines():
        digest, name = line.split()
        yield name, digest


def rewrite_lock() -> None:
    """Resolve pom.xml anew and record what came; for a reviewed change of versions only."""
    cache = _cache()
    with _exclusive(cache):
        shutil.rmtree(cache, ignore_errors=True)
        _fetch_into(cache)
        _LOCK.write_text(_listing(cache))

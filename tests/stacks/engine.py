"""A Docker engine for tests, in this order: ``DOCKER_HOST``, the default socket, one of our own.

Where none can be had the tests are skipped by name, except in CI (``CI`` is set): there they fail.
``python -m tests.stacks.engine up | down [--purge] | env`` runs our own for developers and the Makefile:
``eval "$(python -m tests.stacks.engine env)"`` makes ``docker`` and ``docker compose`` speak to it.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.needs import unavailable
from tests.stacks.own_engine import EngineUnavailableError, OwnEngine, answers, default_home, make_tree

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
FIRST_START_SECONDS = 1_500
_ENTER = Path(__file__).with_name("enter_tree.sh")
_WRAPPER = """\
#!/bin/sh
# Debian's docker command with Compose and Buildx, out of the tree; made by tests.stacks.engine.
exec unshare --mount sh "{enter}" "{tree}" shared docker "$@"
"""
_used: set[str] = set()


@dataclass(frozen=True)
class Engine:
    """An engine that answers, and the command line that speaks to it."""

    host: str
    origin: str
    """Where it comes from, for the summary of a run."""
    programs: Path | None = None
    """A directory with a ``docker`` that has Compose and Buildx; None when this machine has its own."""
    config: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return this process's environment, made to speak to the engine."""
        return {**os.environ, **self.settings()}

    def settings(self) -> dict[str, str]:
        """Return the variables that make a shell speak to the engine."""
        found = {"DOCKER_HOST": self.host, "TESTCONTAINERS_RYUK_DISABLED": "true"}
        if self.programs is not None:
            found["PATH"] = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        if self.config is not None:
            found["DOCKER_CONFIG"] = str(self.config)
        return found

    def docker(
        self, *arguments: str | Path, check: bool = True, timeout_seconds: float = 600, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run ``docker …`` against it; with ``check`` a failure raises AssertionError with what it said."""
        environment = self.environment()
        program = shutil.which("docker", path=environment["PATH"])
        assert program is not None, "no docker command"
        done = subprocess.run(
            [program, *map(str, arguments)], capture_output=True, text=True, check=False,
            env=environment, timeout=timeout_seconds, **more,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"docker {arguments}: {done.stdout}{done.stderr}"
        return done

    def has_image(self, image: str) -> bool:
        """Tell whether it has the image; nothing is pulled."""
        return self.docker("image", "inspect", image, check=False).returncode == 0


def find_engine() -> Engine | None:
    """Return the engine of DOCKER_HOST or of the default socket, if one answers."""
    for host, origin in (
        (os.environ.get("DOCKER_HOST", ""), "DOCKER_HOST"),
        (DEFAULT_SOCKET, "the default socket"),
    ):
        if host and answers(host):
            return _with_programs(host, origin)
    return None


@contextmanager
def engine() -> Iterator[Engine]:
    """Yield an engine; one of our own is stopped after its last user. Raises EngineUnavailableError."""
    found = find_engine()
    if found is not None:
        yield found
        return
    own = OwnEngine(default_home())
    own.home.mkdir(parents=True, exist_ok=True)
    with (own.home / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            own.start()
            yield _with_programs(own.host, "an engine of our own", own.tree)
        finally:
            with suppress(BlockingIOError):  # another process still uses it
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _kept(own.home):
                    own.stop()


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The engine of this test run; the process's environment speaks to it while the fixture lives."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            context = engine()
            found = context.__enter__()
        except EngineUnavailableError as problem:
            no_engine(f"no Docker engine to be had: {problem}")
        _used.add(found.origin)
        for name, value in found.settings().items():
            patch.setenv(name, value)
        try:
            yield found
        finally:
            context.__exit__(None, None, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of the engine time for its first start: Debian and the images are fetched and built once."""
    for item in items:
        wanted = getattr(item, "fixturenames", ())
        if "docker_engine" in wanted and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FIRST_START_SECONDS))


def no_engine(reason: str) -> None:
    """Skip by name; fail in CI."""
    _used.add(reason)
    unavailable(reason)


def _with_programs(host: str, origin: str, tree: Path | None = None) -> Engine:
    """Use this machine's docker command if it has Compose and Buildx, else the tree's."""
    if _complete():
        return Engine(host, origin)
    home = default_home()
    tree = tree or OwnEngine(home).tree
    make_tree(tree)
    programs, config = home / "bin", home / "config"
    for directory in (programs, config):
        directory.mkdir(parents=True, exist_ok=True)
    making = programs / f".docker-{os.getpid()}"
    making.write_text(_WRAPPER.format(enter=_ENTER, tree=tree))
    making.chmod(0o755)
    making.rename(programs / "docker")
    return Engine(host, origin, programs, config)


def _complete() -> bool:
    docker = shutil.which("docker")
    return docker is not None and all(
        subprocess.run([docker, plugin, "version"], capture_output=True, check=False).returncode == 0
        for plugin in ("compose", "buildx")
    )


def _kept(home: Path) -> bool:
    return (home / "keep").exists()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print which engine the run used."""
    if _used:
        terminalreporter.write_line(f"Docker: {'; '.join(sorted(_used))}")


def main() -> int:
    """Start, stop or describe our own engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("up", "down", "env"))
    parser.add_argument("--purge", action="store_true", help="down: delete its images and volumes, too")
    given = parser.parse_args()
    own = OwnEngine(default_home())
    if given.verb == "down":
        (own.home / "keep").unlink(missing_ok=True)
        own.remove() if given.purge else own.stop()
        return 0
    try:
        found = find_engine()
        if found is None and given.verb == "up":
            own.start()
            (own.home / "keep").touch()
        if found is None and answers(own.host):
            found = _with_programs(own.host, "an engine of our own", own.tree)
    except EngineUnavailableError as problem:
        print(problem, file=sys.stderr)
        return 1
    if found is None:
        print("no engine runs: python -m tests.stacks.engine up", file=sys.stderr)
        return 1
    print("\n".join(f"export {name}='{value}'" for name, value in found.settings().items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

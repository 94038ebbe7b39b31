"""Earlier releases, as their code stands in this repository's history, and their stacks."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cli.local.layout import Layout
from tests.stacks.local import ROOT, LocalStack
from tests.stacks.needs import unavailable

RELEASES = tomllib.loads((Path(__file__).parent / "releases.toml").read_text(encoding="utf-8"))["release"]
DRIVER = Path(__file__).parent / "drive.py"


@dataclass(frozen=True)
class Release:
    """The tree of a release; its code runs with the libraries of today."""

    version: str
    commit: str
    schemas: dict[str, str]
    tree: Path

    async def python(self, *arguments: str, seconds: float = 200) -> str:
        """Run a program with this release's code, return what it printed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
        environment["PYTHONPATH"] = os.pathsep.join((str(self.tree), str(self.tree / "gen")))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=self.tree,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(seconds):
            told, complaint = await process.communicate()
        assert process.returncode == 0, told.decode()[-2_000:] + complaint.decode()[-4_000:]
        return told.decode()

    async def tongban(self, home: Path, *arguments: str) -> dict[str, Any]:
        """Run this release's command."""
        found: dict[str, Any] = json.loads(
            await self.python("-m", "cli", *arguments, "--data-dir", str(home), "--json")
        )
        return found

    async def cases(self, home: Path, count: int, seed: int) -> list[str]:
        """Carry cases through with this release's clients; return their ids once all is settled."""
        found: list[str] = json.loads(await self.python(str(DRIVER), str(home), str(count), str(seed)))
        return found


@cache
def _archive(commit: str) -> bytes | None:
    command = ["git", "archive", "--format=tar", commit]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="session", params=RELEASES, ids=lambda each: each["version"])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Each recorded release; without the history CI fails, elsewhere the test is skipped."""
    tree = tmp_path_factory.mktemp("release") / request.param["version"]
    content = _archive(request.param["commit"])
    if content is None:
        unavailable(
            f"release {request.param['version']} ({request.param['commit']}) is not in this clone's history"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extractall(tree, filter="data")
    return Release(tree=tree, **request.param)


@pytest.fixture(scope="session")
def today() -> Release:
    """The code of this checkout, for the same uses."""
    return Release("today", "", {}, ROOT)


@asynccontextmanager
async def stack_of(release: Release) -> AsyncIterator[LocalStack]:
    """Run a release's stack for the block; nothing is left of it."""
    home = Path(tempfile.mkdtemp(prefix="tbup"))
    stack = LocalStack(Layout(home))
    try:
        await release.tongban(home, "up", "--catalogue", str(release.tree / "catalogue"))
        yield stack
    except BaseException:
        print(stack.complaints())
        raise
    finally:
        from cli.local.control import stop
        from cli.local.state import read_state

        if read_state(stack.layout.state_file) is not None:
            stop(stack.layout)
        shutil.rmtree(home, ignore_errors=True)

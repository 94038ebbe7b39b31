"""One stack with cases on it, its backup, and a server that the backup was restored into for doctoring."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import system_clock
from cli.local.layout import Layout
from cli.operations.checking import check_backup
from cli.operations.manifest import Manifest
from cli.operations.parts import make_identity, read_identity
from cli.operations.places import Places
from cli.operations.progress import silent
from cli.operations.reconciling import COUNTRY
from cli.operations.restoring import restore
from cli.operations.targets import rehearsal
from tests.stacks.applicants import Applicant, carry_through, case_workers
from tests.stacks.local import ROOT, LocalStack, local_stack
from tests.stacks.settling import settled

PERSONS, ROUNDS = 3, 2


@dataclass(frozen=True)
class Drill:
    """A stopped stack's home, its backup, and what was there before."""

    home: Path
    shelf: Path
    identity: Path
    made: dict[str, Any]
    licence: Path
    """A licence document that the stack issued before the backup."""
    day: date

    @property
    def layout(self) -> Layout:
        return Layout(self.home)

    @property
    def stack(self) -> LocalStack:
        return LocalStack(self.layout)

    @property
    def backup(self) -> Path:
        return Path(self.made["path"])

    @property
    def verifying_key(self) -> Path:
        return self.layout.secrets("backup") / "verifying_key.pem"

    def copy(self, directory: Path) -> Path:
        """Return a copy of the backup to be spoilt."""
        return Path(shutil.copytree(self.backup, directory / self.backup.name))


def tongban(home: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command as an operator does."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "--data-dir", str(home), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="session")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Cases on a running stack, a backup made while it ran, the stack stopped."""
    place = tmp_path_factory.mktemp("drill")
    with asyncio.Runner() as runner:
        context = local_stack()
        stack = runner.run(context.__aenter__())
        try:
            licence = runner.run(_cases(stack, place))
            options = ("--to", str(place / "shelf"), "--recipient", make_identity(place / "operator.key"))
            status, made = tongban(stack.layout.home, "backup", *options)
            assert status == 0, made
            tongban(stack.layout.home, "down")
            today = system_clock().astimezone(COUNTRY).date()
            yield Drill(stack.layout.home, place / "shelf", place / "operator.key", made, licence, today)
        finally:
            runner.run(context.__aexit__(None, None, None))


async def _cases(stack: LocalStack, place: Path) -> Path:
    async with case_workers(stack.reach, PERSONS, seed=15) as (people, desk):
        for _ in range(ROUNDS):
            await asyncio.gather(*(carry_through(person, desk) for person in people))
        assert await settled(stack, 60)
        return await first_licence(people[0], place / "licence.ofd")


async def first_licence(applicant: Applicant, path: Path) -> Path:
    """Keep the document of the applicant's first licence."""
    licences = await applicant.citizen.licences()
    path.write_bytes(await applicant.citizen.licence_document(licences[0]["licence_id"]))
    return path


@pytest.fixture(scope="session")
def manifest(drill: Drill) -> Manifest:
    return check_backup(drill.backup, drill.verifying_key, silent)


@pytest.fixture(scope="session")
def restored(drill: Drill, manifest: Manifest) -> Iterator[Places]:
    """The backup on a server of its own, to be doctored and mended."""
    with asyncio.Runner() as runner:
        context = rehearsal(manifest)
        places = runner.run(context.__aenter__())
        try:
            identity = read_identity(drill.identity)
            runner.run(restore(drill.backup, manifest, identity, places, silent))
            yield places
        finally:
            runner.run(context.__aexit__(None, None, None))

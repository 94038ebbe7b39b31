"""The images of the core profile on the engine of the tests: found there, or built without a registry.

Trees, wheels and jars are kept in ``TONGBAN_AIRGAP_CACHE``, else below the user's cache, so that a fresh
clone does not fetch them again.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.stacks.engine import Engine
from tests.stacks.needs import unavailable


def cache_directory() -> Path:
    """Return where the build keeps what it fetches."""
    chosen = os.environ.get("TONGBAN_AIRGAP_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "tongban" / "airgap"


def build_images(engine: Engine, *, ours: bool) -> dict[str, str]:
    """Have PostgreSQL's and Kafka's image on the engine, with ``ours`` all; return service → image.

    Bases that are there stay as they are; ours are built again, which costs seconds where nothing changed.
    Calls for the engine of this process's environment. Raises the faults of deploy.airgap.
    """
    from deploy.airgap import images
    from deploy.airgap.steps import Steps

    build = images.Build(cache_directory())
    wanted = images.core_images(build.version)
    with (build.cache / "build.lock").open("w") as lock, Steps(quiet=True) as steps:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build.bases = {
            name: image for name, image in images.base_names(wanted).items() if engine.has_image(image)
        }
        if ours:
            images.build_all(build, steps)
        else:
            images.build_bases(build, wanted, steps, needed=("POSTGRES_IMAGE", "KAFKA_IMAGE"))
    return wanted


@pytest.fixture(scope="session")
def base_images(docker_engine: Engine) -> dict[str, str]:
    """Service → image; those of ``postgres`` and ``kafka`` are on the engine."""
    return _built(docker_engine, ours=False)


@pytest.fixture(scope="session")
def core_images(docker_engine: Engine) -> dict[str, str]:
    """Service → image of the core profile, all on the engine, ours built from this checkout."""
    return _built(docker_engine, ours=True)


def _built(engine: Engine, *, ours: bool) -> dict[str, str]:
    from chassis.errors import Fault

    try:
        return build_images(engine, ours=ours)
    except Fault as problem:
        unavailable(f"no images to be had: {problem.code}: {problem.en}")

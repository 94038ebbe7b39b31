"""One deployment for a module; its images are ``TONGBAN_TEST_VERSION``, else built from this checkout."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deploy.making.environment import project_version
from tests.compose.deployment import SERVICES, Deployment
from tests.stacks.engine import Engine
from tests.stacks.needs import unavailable

OURS = (*SERVICES, "provision", "tools")
BASES = ("postgres:18.4-trixie", "apache/kafka:4.2.1")


@pytest.fixture(scope="session")
def images(docker_engine: Engine, request: pytest.FixtureRequest) -> str:
    """The tag of our images on the engine."""
    given = os.environ.get("TONGBAN_TEST_VERSION")
    version = given or project_version()
    if not given:
        request.getfixturevalue("core_images")
    missing = [
        image
        for image in (*BASES, *(f"tongban/{name}:{version}" for name in OURS))
        if not docker_engine.has_image(image)
    ]
    if missing:
        unavailable(f"images are missing on the engine: {', '.join(missing)}")
    return version


@pytest.fixture(scope="module")
def deployment(
    docker_engine: Engine, images: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment that is made and not started."""
    made = Deployment(docker_engine, tmp_path_factory.mktemp("county"), images)
    made.make()
    try:
        yield made
    finally:
        made.remove()

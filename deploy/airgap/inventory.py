"""The bill of materials of a bundle, CycloneDX 1.6: what is in the images, read from the images themselves.

Wheels with the digests of the lock, Debian packages with versions, jars with digests, the images with their ids.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import parse_wheel_filename

from chassis.errors import Fault
from deploy.airgap.downloads import sha256
from deploy.airgap.faults import AIRGAP_STEP_FAILED
from deploy.airgap.steps import run

_PACKAGES = ["dpkg-query", "--show", "--showformat", "${Package}\\t${Version}\\t${Architecture}\\n"]
_JARS = ["sh", "-c", "cd /opt/kafka/libs 2>/dev/null && sha256sum -- *.jar || true"]


def bill(version: str, images: dict[str, str], wheelhouse: Path, made_at: dt.datetime) -> str:
    """Return the bill as JSON; the same images and wheels give the same text but for its serial number."""
    bom = Bom()
    bom.metadata.timestamp = made_at
    bom.metadata.component = Component(name="tongban", version=version, type=ComponentType.APPLICATION)
    found: dict[str, Component] = {}
    for component in (*_wheels(wheelhouse), *_of_images(images)):
        key = str(component.bom_ref.value)
        if key in found:
            found[key].properties.update(component.properties)
        else:
            found[key] = component
    bom.components.update(found.values())
    bom.register_dependency(bom.metadata.component, found.values())
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def _wheels(wheelhouse: Path) -> Iterator[Component]:
    for path in sorted(wheelhouse.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        purl = PackageURL("pypi", name=name, version=str(version))
        yield _component(purl, hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256(path))])


def _of_images(images: dict[str, str]) -> Iterator[Component]:
    for image, identity in sorted(images.items()):
        name, _, tag = image.partition(":")
        digest = HashType(alg=HashAlgorithm.SHA_256, content=identity.removeprefix("sha256:"))
        yield Component(name=name, version=tag, type=ComponentType.CONTAINER, bom_ref=f"image:{image}",
                        hashes=[digest])  # fmt: skip
        yield from _debian(image)
        yield from _jars(image)


def _debian(image: str) -> Iterator[Component]:
    try:
        listing = _inside(image, _PACKAGES)
    except Fault as problem:
        if problem.code != AIRGAP_STEP_FAILED.code:
            raise
        return  # an image without dpkg, named by the operator: its container component stands for it
    for line in listing.splitlines():
        name, version, architecture = line.split("\t")
        purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
        yield _component(purl, properties=[Property(name="tongban:image", value=image)])


def _jars(image: str) -> Iterator[Component]:
    for line in _inside(image, _JARS).splitlines():
        digest, file_name = line.split()
        name, _, version = file_name.removesuffix(".jar").rpartition("-")
        purl = (
            PackageURL("maven", name=name, version=version) if name else PackageURL("maven", name=file_name)
        )
        yield _component(
            purl,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
            properties=[Property(name="tongban:image", value=image)],
        )


def _component(purl: PackageURL, **more: object) -> Component:
    return Component(
        name=purl.name, version=purl.version, purl=purl, bom_ref=purl.to_string(),
        type=ComponentType.LIBRARY, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _inside(image: str, command: list[str]) -> str:
    program, *arguments = command
    return run(["docker", "run", "--rm", "--network", "none", "--entrypoint", program, image, *arguments])

"""Exports a release as one signed tarball for a machine without network.

``python deploy/airgap/bundle.py --key KEY --out DIRECTORY`` builds the images where they are not built yet and
leaves ``tongban-VERSION-linux-ARCH.tar``, its signature ``….tar.sig`` and ``install.py``. ``--make-key`` makes the
key once; its public part goes to the county by another way than the bundle.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from chassis.clock import system_clock
from chassis.errors import Fault
from deploy.airgap import contents, downloads, inventory, signing
from deploy.airgap.build import parser
from deploy.airgap.images import Build, bases_from, build_all, images_there
from deploy.airgap.steps import Steps, run

FORMAT = 1
ENGINE_AT_LEAST, COMPOSE_AT_LEAST = "25.0", "2.24"  # start_interval of health checks; !reset and profiles
MEMORY_BYTES = 4 << 30
SPARE_DISK_BYTES = 10 << 30
"""For the databases, the event log and their growth in the first months."""


@dataclass(frozen=True)
class Bundle:
    """What was written, and by whose key."""

    tarball: Path
    signature: Path
    fingerprint: str

    def described(self) -> dict[str, str | int]:
        """Return it for programs."""
        size = self.tarball.stat().st_size
        return {
            "bundle": str(self.tarball), "bytes": size, "signature": str(self.signature), "signer": self.fingerprint
        }  # fmt: skip


def make_bundle(
    build: Build,
    key_path: Path,
    out: Path,
    steps: Steps,
    *,
    password: bytes | None = None,
    built: bool = False,
) -> Bundle:
    """Build (unless ``built``), list, pack and sign. Raises AIRGAP_KEY_UNUSABLE before anything is built."""
    key = signing.read_key(key_path, password)
    out.mkdir(parents=True, exist_ok=True)
    images = images_there(build.version) if built else build_all(build, steps)
    made_at = moment()
    packed = out / f".{contents.IMAGES}"
    with steps.step("save images"):
        size = contents.save_images(list(images), packed)
    with steps.step("bill of materials"):
        wheelhouse = downloads.wheels(build.cache, f"{sys.version_info.major}.{sys.version_info.minor}")
        bill = inventory.bill(build.version, images, wheelhouse, made_at)
    with steps.step("pack and sign"):
        described = about(build.version, images, size, made_at, signing.fingerprint(key))
        tarball = out / f"tongban-{build.version}-linux-{described['architecture']}.tar"
        files = {**contents.deployment_files(), contents.IMAGES: packed}
        texts = {"BUNDLE.json": json.dumps(described, indent=2, sort_keys=True), "sbom.cdx.json": bill}
        contents.write_tarball(tarball, files, texts, int(made_at.timestamp()))
        packed.unlink()
        signature = tarball.with_name(tarball.name + ".sig")
        signature.write_bytes(signing.sign_file(key, tarball))
        shutil.copy(downloads.HERE / "install.py", out / "install.py")
    return Bundle(tarball, signature, signing.fingerprint(key))


def about(
    version: str, images: dict[str, str], size: int, made_at: dt.datetime, signer: str
) -> dict[str, object]:
    """Return what the installer goes by: the images' layers, what the machine must have."""
    some = next(iter(images))
    architecture = run(["docker", "image", "inspect", "--format", "{{.Architecture}}", some]).strip()
    return {
        "format": FORMAT,
        "version": version,
        "architecture": architecture,
        "made_at": made_at.isoformat(),
        "signer": signer,
        "images": contents.layers(list(images)),
        "needs": {
            "engine": ENGINE_AT_LEAST,
            "compose": COMPOSE_AT_LEAST,
            "memory_bytes": MEMORY_BYTES,
            "disk_bytes": size + SPARE_DISK_BYTES,
            "ports": contents.ports(),
        },
    }


def moment() -> dt.datetime:
    """Return SOURCE_DATE_EPOCH where set, so that a bundle can be made again to the byte, else now."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else system_clock()
    return now.replace(microsecond=0)


def main() -> int:
    """Make a key, or a bundle; 0 when it is written."""
    options: argparse.ArgumentParser = parser(__doc__)
    options.add_argument("--key", type=Path, required=True, help="the builder's private key, EC P-256 in PEM")
    options.add_argument("--key-password-file", type=Path)
    options.add_argument("--make-key", action="store_true", help="make the key first; refuses to overwrite")
    options.add_argument("--built", action="store_true", help="take the images as they are on the engine")
    options.add_argument("--out", type=Path, required=True, help="where the bundle goes")
    given = options.parse_args()
    password = given.key_password_file.read_bytes().rstrip(b"\n") if given.key_password_file else None
    try:
        if given.make_key:
            print(f"public key: {signing.make_key(given.key)}", file=sys.stderr)
        with Steps(quiet=given.json) as steps:
            build = Build(given.cache.absolute(), bases_from(given.base), given.mirror, given.version)
            bundle = make_bundle(build, given.key, given.out, steps, password=password, built=given.built)
    except Fault as problem:
        print(f"{problem.code}: {problem.zh}\n{problem.en}", file=sys.stderr)
        return 1
    told = {**bundle.described(), "seconds": steps.seconds}
    print(json.dumps(told, indent=2) if given.json else "\n".join(f"{k}: {v}" for k, v in told.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

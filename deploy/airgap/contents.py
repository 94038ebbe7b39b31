"""What lies in a bundle beside the images, and how the tarball is written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from deploy.airgap.downloads import ROOT, sha256
from deploy.airgap.faults import AIRGAP_STEP_FAILED
from deploy.airgap.images import COMPOSE
from deploy.airgap.steps import run

FOLDERS = ("deploy", "catalogue", "docs")
FILES = ("pyproject.toml", "LICENSE", "CHANGELOG.md")
CHECKSUMS = "SHA256SUMS"
IMAGES = "images.tar.gz"
_BUILDING = re.compile(r"^deploy/airgap/(?!install\.py$|README\.md$)|^docs/.*(?<!\.md)$")
"""What only those need who build."""
_NEVER = re.compile(r"(^|/)(\.env|secrets|backups|departments|terminals|__pycache__)(/|$)|\.(pem|key)$")
_PORT = re.compile(r'"\$\{TONGBAN_BIND:[^}]*\}:\$\{(\w+):-(\d+)\}:\d+"')
_COPY_BYTES = 1 << 20


def deployment_files() -> dict[str, Path]:
    """Return name in the bundle → file: what git knows or would take, never a secret of a deployment."""
    listed = run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *FOLDERS, *FILES]
    )
    names = (
        name for name in listed.split("\0") if name and not _NEVER.search(name) and not _BUILDING.search(name)
    )
    return {name: ROOT / name for name in names if (ROOT / name).is_file()}


def ports() -> dict[str, int]:
    """Return variable → port that the Compose file opens unless told otherwise."""
    return {name: int(port) for name, port in _PORT.findall(COMPOSE.read_text())}


def save_images(images: Sequence[str], target: Path) -> int:
    """Write the images, compressed, as ``docker load`` takes them; return their size uncompressed."""
    size = 0
    with (
        subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving,
        gzip.GzipFile(target, "wb", compresslevel=3, mtime=0) as packed,
    ):
        assert saving.stdout is not None
        while block := saving.stdout.read(_COPY_BYTES):
            size += packed.write(block)
    if saving.returncode != 0:
        target.unlink()
        raise AIRGAP_STEP_FAILED(step="docker save", detail=f"status {saving.returncode}")
    return size


def layers(images: Sequence[str]) -> dict[str, list[str]]:
    """Return image → its layers' digests: what must be the same on the machine that loads them."""
    return {
        image: json.loads(run(["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image]))
        for image in images
    }


def write_tarball(target: Path, files: Mapping[str, Path], texts: Mapping[str, str], made_at: int) -> None:
    """Write members in the order of their names after their checksums; ``made_at`` is seconds since 1970."""
    generated = {name: text.encode() for name, text in texts.items()}
    sums = {name: sha256(path) for name, path in files.items()}
    sums |= {name: _digest(body) for name, body in generated.items()}
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tarball:
        _add(tarball, CHECKSUMS, listing, made_at)
        for name in sorted(sums):
            _add(tarball, name, generated[name] if name in generated else files[name], made_at)


def _add(tarball: tarfile.TarFile, name: str, content: bytes | Path, made_at: int) -> None:
    member = tarfile.TarInfo(str(PurePosixPath(name)))
    member.mtime, member.mode = made_at, 0o644
    if isinstance(content, bytes):
        member.size = len(content)
        tarball.addfile(member, io.BytesIO(content))
        return
    state = content.stat()
    member.size = state.st_size
    if state.st_mode & 0o100:
        member.mode = 0o755
    with content.open("rb") as handle:
        tarball.addfile(member, handle)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()

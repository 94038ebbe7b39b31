"""The Debian system under the stand-in images: a tree made by debootstrap, and packages fetched beside it.

Needs root, for chroot. The tree gets its release's security updates; every package is checked by apt
against the signed index of the archive.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.airgap.faults import AIRGAP_STEP_FAILED, AIRGAP_TOOL_MISSING
from deploy.airgap.steps import run

SUITE = "bookworm"  # its Python 3.11 is the version that runtime.lock and the project's images name
IN_EVERY_IMAGE = ("tzdata", "libssl3", "netbase")
PACKAGES = {
    "python": ("python3", "python-is-python3", "python3-pip"),
    "postgres": ("libnss-wrapper",),
    "kafka": ("openjdk-17-jre-headless",),  # brokers of Kafka 4 demand Java 17
}
# Contents only: some packages expect the directories.
_LEFT_OUT = ("usr/share/man/*/*", "usr/share/locale/*", "usr/share/info/*", "var/cache/apt/*",
             "var/lib/apt/lists/*", "var/log/*", "var/cache/debs", "tmp/*")  # fmt: skip
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def debian_tree(cache: Path, mirror: str | None) -> Path:
    """Return the directory of a minimal Debian with its updates, made once; raises what `run` raises."""
    tree = cache / f"debian-{SUITE}"
    if tree.is_dir():
        return tree
    _demand_root()
    making = cache / f".making-{SUITE}"
    shutil.rmtree(making, ignore_errors=True)
    include = f"--include={','.join(IN_EVERY_IMAGE)}"
    run(["debootstrap", "--variant=minbase", include, SUITE, making, *([mirror] if mirror else [])])
    _add_security(making)
    _apt(making, "update")
    _apt(making, "--yes", "upgrade")
    making.rename(tree)
    return tree


def debs(cache: Path, tree: Path) -> Path:
    """Return a directory with one folder of package files for each stand-in image, fetched once."""
    target = cache / f"debs-{SUITE}"
    for group, packages in PACKAGES.items():
        if (target / group).is_dir():
            continue
        _demand_root()
        inside = f"var/cache/debs/{group}"
        shutil.rmtree(tree / inside, ignore_errors=True)
        (tree / inside / "partial").mkdir(parents=True)
        _apt(tree, "--yes", "install", "--download-only", "--no-install-recommends",
             "-o", f"Dir::Cache::archives=/{inside}", *packages)  # fmt: skip
        making = target / f".making-{group}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for package in (tree / inside).glob("*.deb"):
            shutil.move(package, making)
        making.rename(target / group)
    return target


@contextmanager
def archive_of(tree: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that writes the tree as a tar archive to its standard output."""
    left_out = [f"--exclude=./{pattern}" for pattern in _LEFT_OUT]
    command = ["tar", "--create", "--numeric-owner", "--sort=name", *left_out, "-C", str(tree), "."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield process
    if process.returncode > 0:  # below zero: the reader went away, and tells why itself
        raise AIRGAP_STEP_FAILED(step="tar", detail=f"status {process.returncode}")


def _add_security(tree: Path) -> None:
    """Name the security archive, which every mirror has beside the main one."""
    sources = tree / "etc/apt/sources.list"
    main = sources.read_text().split()
    url = main[1].rstrip("/")
    if url.endswith("/debian"):
        with sources.open("a") as lines:
            lines.write(f"\ndeb {url}-security {SUITE}-security main\ndeb {url} {SUITE}-updates main\n")


def _apt(tree: Path, *arguments: str) -> None:
    run(["chroot", tree, "apt-get", "-q", *arguments], environment=_QUIET)


def _demand_root() -> None:
    if os.geteuid() != 0:
        raise AIRGAP_TOOL_MISSING(tool="root", purpose="debootstrap and chroot")
    if shutil.which("debootstrap") is None:
        raise AIRGAP_TOOL_MISSING(tool="debootstrap", purpose="apt-get install debootstrap")

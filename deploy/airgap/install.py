#!/usr/bin/env python3
"""安装离线部署包 | Installs a bundle of Tongban on a machine without network.

    python3 install.py tongban-VERSION-linux-ARCH.tar --key builder.pub --to /opt/tongban [--check] [--json]

Needs Python 3.8 or newer, OpenSSL 1.0.2 or newer and Docker: nothing else, not even the rest of this project.
The signature over every byte of the bundle and the checksum of every member are verified before anything is loaded
or laid out. ``--check`` stops after that and after the look at this machine. Status 1 and a reason code when refused.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

FORMAT = 1
CHECKSUMS, ABOUT, IMAGES = "SHA256SUMS", "BUNDLE.json", "images.tar.gz"
BLOCK_BYTES = 1 << 20
LISTING_AT_MOST_BYTES = 8 << 20
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PROJECT = "tongban"


class RefusedError(Exception):
    """安装被拒绝。 Nothing was changed unless the code says so (IMAGES_NOT_LOADED, IMAGE_DIFFERS)."""

    def __init__(self, code: str, zh: str, en: str, problems: list[dict[str, str]] | None = None) -> None:
        super().__init__(code)
        self.code, self.zh, self.en, self.problems = code, zh, en, problems or []


class Hashed:
    """A file that digests what is read of it; the tarball is read once from beginning to end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        block = self._file.read(size)
        self._digest.update(block)
        return block

    def digest_to_end(self) -> bytes:
        """Read what is left; return the digest of all."""
        while self.read(BLOCK_BYTES):
            pass
        return self._digest.digest()


def verify_signature(bundle: Path, signature: Path, key: Path) -> bytes:
    """Return the SHA-256 of the bundle that the builder signed. Raises RefusedError."""
    for path in (bundle, signature, key):
        if not path.is_file():
            raise RefusedError("FILE_MISSING", f"找不到文件 {path}", f"There is no file {path}")
    with bundle.open("rb") as file:
        digest = Hashed(file).digest_to_end()
    with tempfile.NamedTemporaryFile() as digest_file:
        digest_file.write(digest)
        digest_file.flush()
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-sigfile", str(signature),
                   "-in", digest_file.name, "-pkeyopt", "digest:sha256"]  # fmt: skip
        if call(command)[0] != 0:
            raise RefusedError(
                "BUNDLE_SIGNATURE_WRONG",
                "部署包或其签名与该公钥不符，可能已被改动",
                "The bundle is not what the holder of this key signed",
            )
    return digest


def stage(bundle: Path, digest: bytes, directory: Path) -> dict[str, Any]:
    """Unpack into an empty directory, checking every member; return BUNDLE.json. Raises RefusedError."""
    with bundle.open("rb") as file:
        source = Hashed(file)
        try:
            with tarfile.open(fileobj=source, mode="r|") as tarball:  # type: ignore[call-overload]
                listed = unpack(tarball, directory)
        except (tarfile.TarError, EOFError, UnicodeError, ValueError) as problem:
            raise RefusedError(
                "BUNDLE_UNREADABLE", f"部署包无法读取：{problem}", f"Unreadable: {problem}"
            ) from None
        if source.digest_to_end() != digest:
            raise RefusedError(
                "BUNDLE_CHANGED_MEANWHILE",
                "部署包在校验期间被改动",
                "The bundle changed while it was being verified",
            )
    missing = sorted(set(listed) - {str(path.relative_to(directory)) for path in directory.rglob("*")})
    if missing:
        raise RefusedError("BUNDLE_MEMBER_MISSING", f"缺少 {missing[0]}", f"{missing[0]} is missing")
    about: dict[str, Any] = json.loads((directory / ABOUT).read_text(encoding="utf-8"))
    if about.get("format") != FORMAT:
        raise RefusedError(
            "BUNDLE_FORMAT_UNKNOWN",
            "本安装程序不认识该部署包的格式，请用随包的 install.py",
            "This installer does not know the bundle's format: use the one that came with it",
        )
    return about


def unpack(tarball: tarfile.TarFile, directory: Path) -> dict[str, str]:
    """Write the members that are listed and as listed; return the listing, name → SHA-256."""
    listed: dict[str, str] = {}
    seen = set()
    for number, member in enumerate(tarball):
        if number == 0:
            listed = read_listing(tarball, member)
            (directory / CHECKSUMS).write_text(render(listed), encoding="utf-8")
            continue
        if not member.isreg() or member.name in seen or not is_plain(member.name):
            raise RefusedError(
                "BUNDLE_MEMBER_FORBIDDEN",
                f"不允许的成员 {member.name}",
                f"{member.name} may not be in a bundle",
            )
        if member.name not in listed:
            raise RefusedError(
                "BUNDLE_MEMBER_UNLISTED",
                f"清单之外的成员 {member.name}",
                f"{member.name} is not in {CHECKSUMS}",
            )
        seen.add(member.name)
        write_member(tarball, member, directory / member.name, listed[member.name])
    return listed


def read_listing(tarball: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, str]:
    """Return name → SHA-256 of the first member."""
    content = tarball.extractfile(member)
    if member.name != CHECKSUMS or content is None or member.size > LISTING_AT_MOST_BYTES:
        raise RefusedError("BUNDLE_UNREADABLE", f"{CHECKSUMS} 不在首位", f"{CHECKSUMS} does not come first")
    listed: dict[str, str] = {}
    for line in content.read().decode("utf-8").splitlines():
        found = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if found is None or found[2] in listed:
            raise RefusedError(
                "BUNDLE_UNREADABLE", f"{CHECKSUMS} 有误", f"{CHECKSUMS} has a line that is no checksum"
            )
        listed[found[2]] = found[1]
    return listed


def render(listed: dict[str, str]) -> str:
    """Return the listing as sha256sum --check reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(listed.items()))


def is_plain(name: str) -> bool:
    """Tell whether a name stays below the directory it is unpacked to."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and str(path) == name


def write_member(tarball: tarfile.TarFile, member: tarfile.TarInfo, target: Path, wanted: str) -> None:
    """Write one member. Raises RefusedError when its content is not what was listed."""
    content = tarball.extractfile(member)
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        for block in iter(lambda: content.read(BLOCK_BYTES), b""):  # type: ignore[union-attr]
            digest.update(block)
            file.write(block)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
    if digest.hexdigest() != wanted:
        raise RefusedError(
            "BUNDLE_MEMBER_ALTERED", f"{member.name} 与清单不符", f"{member.name} is not as listed"
        )


def look_at_machine(about: dict[str, Any], target: Path) -> list[dict[str, str]]:
    """Return everything that this machine lacks, all at once: code, zh, en."""
    needs, problems = about["needs"], []

    def lacks(code: str, zh: str, en: str) -> None:
        problems.append({"code": code, "zh": zh, "en": en})

    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    if architecture != about["architecture"]:
        lacks("ARCHITECTURE_DIFFERS", f"本机架构为 {architecture}，部署包为 {about['architecture']}",
              f"This machine is {architecture}, the bundle is for {about['architecture']}")  # fmt: skip
    if dt.datetime.now(dt.timezone.utc) < dt.datetime.fromisoformat(about["made_at"]):  # noqa: UP017 - Python 3.8
        lacks("CLOCK_WRONG", "本机时钟早于部署包的制作时间，请校时",
              "The clock is before the moment the bundle was made")  # fmt: skip
    check_versions(needs, lacks)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < needs["memory_bytes"]:
        lacks("MEMORY_SHORT", f"内存 {gib(memory)}，至少需要 {gib(needs['memory_bytes'])}",
              f"{gib(memory)} of memory, at least {gib(needs['memory_bytes'])} needed")  # fmt: skip
    check_disks(needs["disk_bytes"], target, lacks)
    status, running = call(
        ["docker", "ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}"]
    )
    if status != 0 or not running:  # a running deployment holds its ports itself
        check_ports(needs["ports"], lacks)
    return problems


def check_versions(needs: dict[str, Any], lacks: Any) -> None:
    """Look for the engine and Compose and their versions."""
    for name, command, wanted in (
        ("ENGINE", ["docker", "version", "--format", "{{.Server.Version}}"], needs["engine"]),
        ("COMPOSE", ["docker", "compose", "version", "--short"], needs["compose"]),
    ):
        status, told = call(command)
        if status != 0:
            lacks(f"{name}_MISSING", f"{' '.join(command[:2])} 无法执行：{told[-200:]}",
                  f"{' '.join(command[:2])} does not answer: {told[-200:]}")  # fmt: skip
        elif version(told) < version(wanted):
            lacks(f"{name}_TOO_OLD", f"{name} 版本 {told}，至少需要 {wanted}",
                  f"{name} is {told}, at least {wanted} needed")  # fmt: skip


def check_disks(wanted: int, target: Path, lacks: Any) -> None:
    """Look at the space where the engine keeps images and volumes, and where the files go."""
    root = call(["docker", "info", "--format", "{{.DockerRootDir}}"])[1].strip()
    for place in {existing(Path(root or "/")), existing(target)}:
        free = shutil.disk_usage(place).free
        if free < wanted:
            lacks("DISK_SHORT", f"{place} 可用 {gib(free)}，至少需要 {gib(wanted)}",
                  f"{gib(free)} free at {place}, at least {gib(wanted)} needed")  # fmt: skip


def check_ports(ports: dict[str, int], lacks: Any) -> None:
    """Look for programs that hold the ports of the doors."""
    for name, port in sorted(ports.items()):
        if not is_free(port):
            lacks("PORT_TAKEN", f"端口 {port} 已被占用，可在 deploy/.env 中用 {name} 另选",
                  f"Port {port} is taken; {name} in deploy/.env chooses another")  # fmt: skip


def load_images(archive: Path, images: dict[str, list[str]]) -> None:
    """Have the images on the engine, layer for layer those of the builder. Raises RefusedError."""
    status, told = call(["docker", "load", "--quiet", "--input", str(archive)])
    if status != 0:
        raise RefusedError(
            "IMAGES_NOT_LOADED", f"镜像无法载入：{told}", f"The images were not loaded: {told}"
        )
    for image, layers in images.items():
        told = call(["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image])[1]
        if not told.startswith("[") or json.loads(told) != layers:
            raise RefusedError("IMAGE_DIFFERS", f"镜像 {image} 与部署包不符", f"{image} is not the bundle's")


def lay_out(staged: Path, target: Path) -> None:
    """Put the files in place; those of the release before that are gone are removed, nothing else is touched."""
    before = read_names(target / CHECKSUMS)
    names = [*sorted(read_names(staged / CHECKSUMS) - {IMAGES}), CHECKSUMS]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).replace(target / name)
    for name in sorted(before - set(names)):
        (target / name).unlink(missing_ok=True)


def read_names(listing: Path) -> set[str]:
    """Return the names of a listing; none when there is none."""
    if not listing.is_file():
        return set()
    return {line[66:] for line in listing.read_text(encoding="utf-8").splitlines() if is_plain(line[66:])}


def call(command: list[str]) -> tuple[int, str]:
    """Return a program's status and what it printed; 127 where there is no such program."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as problem:
        if command[0] == "openssl":
            raise RefusedError("TOOL_MISSING", "本机缺少 openssl", "This machine has no openssl") from None
        return 127, str(problem)
    return done.returncode, done.stdout.decode(errors="replace").strip()


def version(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version."""
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else (0,)


def existing(path: Path) -> Path:
    """Return the nearest directory that exists."""
    path = path.absolute()
    while not path.is_dir():
        path = path.parent
    return path


def is_free(port: int) -> bool:
    """Tell whether nothing listens on a port of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def gib(size: int) -> str:
    """Return bytes for people."""
    return f"{size / (1 << 30):.1f} GiB"


def install(bundle: Path, key: Path, target: Path, check_only: bool) -> dict[str, Any]:
    """Verify, look at the machine, load, lay out; return what was found. Raises RefusedError."""
    digest = verify_signature(bundle, bundle.with_name(bundle.name + ".sig"), key)
    with tempfile.TemporaryDirectory(dir=str(existing(target)), prefix=".tongban-") as place:
        staged = Path(place)
        about = stage(bundle, digest, staged)
        problems = look_at_machine(about, target)
        if problems:
            raise RefusedError("MACHINE_NOT_READY", "本机尚不满足要求", "This machine is not ready", problems)
        if not check_only:
            load_images(staged / IMAGES, about["images"])
            target.mkdir(parents=True, exist_ok=True)
            lay_out(staged, target)
    return {"version": about["version"], "images": sorted(about["images"]), "signer": about["signer"],
            "installed": not check_only, "directory": str(target)}  # fmt: skip


def main() -> int:
    """Read the command line; 0 when installed, or checked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--key", type=Path, required=True, help="制作者公钥 | the builder's public key, got apart"
    )
    parser.add_argument("--to", type=Path, default=Path("/opt/tongban"), help="default: /opt/tongban")
    parser.add_argument("--check", action="store_true", help="只校验 | verify only")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        done = install(given.bundle, given.key, given.to, given.check)
    except RefusedError as refused:
        told = {"code": refused.code, "zh": refused.zh, "en": refused.en, "problems": refused.problems}
        lines = [told, *refused.problems]
        text = "\n".join(f"{line['code']}: {line['zh']}\n  {line['en']}" for line in lines)  # type: ignore[index]
        print(json.dumps(told, ensure_ascii=False) if given.json else text, file=sys.stderr)
        return 1
    print(json.dumps(done) if given.json else
          f"{done['version']}: {len(done['images'])} images, {given.to}\n"
          f"制作者 | signer: {done['signer']}\n下一步 | next: {given.to}/deploy/airgap/README.md")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())

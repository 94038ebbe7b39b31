"""The machine: processors, memory, disk, clock, free ports, names."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from deploy.checking.finding import Finding
from deploy.checking.variables import read_variables

CPUS_AT_LEAST = 2
MEMORY_AT_LEAST_MIB = {
    "": 3_072,
    "observability": 1_024,
    "idp": 1_024,
    "s3": 512,
    "mail": 128,
    "witness": 128,
}
"""Of the whole machine: the stack was measured to use 1 GiB at rest; and what each profile adds."""
DISK_AT_LEAST_MIB = 20_480
TIME_ERROR = 5
"""adjtimex's state of a clock that nothing disciplines (TIME_ERROR)."""
DOORS = {
    "TONGBAN_INTAKE_HTTP_PORT": 8443,
    "TONGBAN_INTAKE_GRPC_PORT": 9001,
    "TONGBAN_CERTS_GRPC_PORT": 9002,
    "TONGBAN_CERTS_SHARING_PORT": 9012,
    "TONGBAN_SEAL_GRPC_PORT": 9003,
}
PROFILE_DOORS = {
    "observability": {"TONGBAN_GRAFANA_PORT": 3000},
    "mail": {"TONGBAN_MAILPIT_PORT": 8025},
    "idp": {"TONGBAN_IDP_PORT": 8444},
}


def look(directory: Path, profiles: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what the machine is like."""
    cpus = len(os.sched_getaffinity(0))
    yield Finding(
        "cpu", cpus >= CPUS_AT_LEAST, f"{cpus}", f"至少 {CPUS_AT_LEAST} 核", f"at least {CPUS_AT_LEAST} cores"
    )
    yield _memory(profiles)
    yield _disk(directory)
    yield clock()
    yield _name_resolution()
    yield from _ports(directory, profiles)


def _memory(profiles: tuple[str, ...]) -> Finding:
    needed = sum(MEMORY_AT_LEAST_MIB[name] for name in ("", *profiles))
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    return Finding("memory", there >= needed, f"{there} MiB", f"至少 {needed} MiB", f"at least {needed} MiB")


def _disk(directory: Path) -> Finding:
    place = next(each for each in (directory.resolve(), *directory.resolve().parents) if each.exists())
    free = shutil.disk_usage(place).free // 1024**2
    return Finding(
        "disk",
        free >= DISK_AT_LEAST_MIB,
        f"{free} MiB free at {place}",
        f"至少 {DISK_AT_LEAST_MIB} MiB 可用",
        f"at least {DISK_AT_LEAST_MIB} MiB free",
    )


def clock() -> Finding:
    """Tell whether something keeps the clock right: signatures, deadlines and log-ins hang on it."""
    state = _clock_state()
    ok = state is not None and state != TIME_ERROR
    found = "cannot be asked" if state is None else "kept by a time service" if ok else "kept by nobody"
    return Finding("clock", ok, found, "请启用时间同步 (chrony)", "run a time service (chrony)")


def _clock_state() -> int | None:
    """Return what the kernel says of the clock (adjtimex(2)); None where it does not tell."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(256)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state


def _name_resolution() -> Finding:
    try:
        found = socket.getaddrinfo("localhost", None)[0][4][0]
    except OSError as problem:
        return Finding(
            "names", ok=False, found=str(problem), zh="localhost 无法解析", en="localhost is no name here"
        )
    return Finding("names", ok=True, found=f"localhost is {found}")


def _ports(directory: Path, profiles: tuple[str, ...]) -> Iterator[Finding]:
    """Yield a finding for each door; where Compose publishes them already they are rightly taken."""
    given = read_variables(directory)
    host = given.get("TONGBAN_BIND", "127.0.0.1")
    doors = DOORS | {
        name: port for profile in profiles for name, port in PROFILE_DOORS.get(profile, {}).items()
    }
    for name, default in doors.items():
        port = given.get(name, str(default))
        free = port.isdecimal() and _can_bind(host, int(port))
        yield Finding(
            f"port {port}",
            free,
            f"{host}:{port} ({name})",
            f"{name} 的端口被占用，请在 .env 中另选",
            f"taken; choose another in .env as {name}",
        )


def _can_bind(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
        return True

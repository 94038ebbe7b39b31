"""The container engine: is there one, is it new enough, does it have Compose and BuildKit."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from deploy.checking.finding import Finding

ENGINE_AT_LEAST = (25, 0)
"""The first with ``start_interval`` of health checks."""
COMPOSE_AT_LEAST = (2, 24)
BUILDX_AT_LEAST = (0, 12)
_SECONDS = 20
_VERSION = re.compile(r"(\d+)\.(\d+)")


def look() -> Iterator[Finding]:
    """Yield what the engine is like; the plugins are looked at even where no engine answers."""
    if shutil.which("docker") is None:
        yield Finding("docker", ok=False, found="no docker command", zh="请安装 Docker", en="install Docker")
        return
    yield _program("engine", ENGINE_AT_LEAST, "version", "--format", "{{.Server.Version}}")
    yield _program("compose", COMPOSE_AT_LEAST, "compose", "version", "--short")
    yield _program("buildx", BUILDX_AT_LEAST, "buildx", "version")


def _program(name: str, least: tuple[int, int], *arguments: str) -> Finding:
    wanted = ".".join(map(str, least))
    zh, en = f"需要 {wanted} 或更新版本", f"{wanted} or newer is needed"
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Finding(name, ok=False, found=type(problem).__name__, zh=zh, en=en)
    found = _VERSION.search(done.stdout)
    if done.returncode or found is None:
        said = (done.stderr.strip() or "no answer").splitlines()[-1]
        return Finding(name, ok=False, found=said, zh=zh, en=en)
    version = (int(found[1]), int(found[2]))
    return Finding(name, ok=version >= least, found=done.stdout.strip().splitlines()[0], zh=zh, en=en)

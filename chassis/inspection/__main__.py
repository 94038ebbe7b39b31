"""The process that one file is parsed in: file on stdin, verdict and what to keep of it on stdout.

``python -m chassis.inspection MEDIA_TYPE``. The first line is ``ok`` or a reason code.
"""

from __future__ import annotations

import resource
import sys

from chassis.errors import Fault
from chassis.inspection.kinds import JPEG, OFD, PDF, PNG
from chassis.inspection.reasons import FILE_TOO_COMPLEX
from chassis.inspection.rules import inspect

CPU_SECONDS = 4
MEMORY_BYTES = 288 * 1024 * 1024
"""Beyond what the parsers themselves take once they are loaded."""
_PAGE_BYTES = resource.getpagesize()


def main() -> int:
    """Judge one file; return the exit status, 0 whatever the verdict."""
    media_type = sys.argv[1]
    _load(media_type)
    _bound()
    content = sys.stdin.buffer.read()
    try:
        kept = inspect(content, media_type)
        verdict = "ok"
    except Fault as fault:
        kept, verdict = b"", fault.code
    except (MemoryError, RecursionError):
        kept, verdict = b"", FILE_TOO_COMPLEX.code
    sys.stdout.buffer.write(verdict.encode() + b"\n" + (b"=" if kept is content else kept))
    sys.stdout.buffer.flush()
    return 0


def _load(media_type: str) -> None:
    """Load the parser before memory is bounded: its own code counts for nothing."""
    if media_type == PDF:
        import chassis.inspection.papers  # noqa: PLC0415
    elif media_type in {JPEG, PNG}:
        from PIL import JpegImagePlugin, PngImagePlugin  # noqa: F401, PLC0415

        import chassis.inspection.images  # noqa: PLC0415
    elif media_type == OFD:
        import chassis.inspection.packages  # noqa: F401, PLC0415


def _bound() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * _PAGE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())

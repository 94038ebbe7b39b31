"""Builds every image of the core profile without a registry: upon bases the operator names, or from nothing.

``python deploy/airgap/build.py [--base PYTHON_IMAGE=… --base POSTGRES_IMAGE=… --base KAFKA_IMAGE=…]``.
A base that is not named is made from Debian packages, wheels and published jars.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from chassis.errors import Fault
from deploy.airgap.images import BASES, ROOT, Build, bases_from, build_all
from deploy.airgap.steps import Steps

CACHE = ROOT / "build" / "airgap-cache"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options that building and bundling share."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--base", action="append", default=[], metavar="NAME=IMAGE", help=" | ".join(BASES))
    options.add_argument("--cache", type=Path, default=CACHE, help="where trees, wheels and jars are kept")
    options.add_argument("--mirror", help="Debian archive to take packages from; debootstrap's own otherwise")
    options.add_argument("--version", default="", help="tag of our images; the project's version otherwise")
    options.add_argument("--json", action="store_true", help="print the result as JSON, no progress")
    return options


def main() -> int:
    """Build; 0 when every image is on the engine."""
    chosen = parser(__doc__).parse_args()
    try:
        with Steps(quiet=chosen.json) as steps:
            build = Build(chosen.cache.absolute(), bases_from(chosen.base), chosen.mirror, chosen.version)
            images = build_all(build, steps)
    except Fault as problem:
        print(f"{problem.code}: {problem.zh}\n{problem.en}", file=sys.stderr)
        return 1
    if chosen.json:
        print(json.dumps({"images": images, "seconds": steps.seconds}, indent=2))
    else:
        print("\n".join(f"{image}  {identity}" for image, identity in images.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

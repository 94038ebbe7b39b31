#!/usr/bin/env python3
"""Names everything that this machine and this deployment lack, all at once, before anything is started.

Run with the project's environment: ``.venv/bin/python deploy/preflight.py [DIRECTORY] [--profile NAME] [--json]``.
Exit status: 0 all in order, 1 something is missing, 2 the deployment's own files are missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # run as a file: the packages lie beside its folder
    sys.path.insert(0, str(HERE.parent))

from deploy.checking import engine, files, machine  # noqa: E402
from deploy.checking.finding import Finding  # noqa: E402

EXIT_LACKING, EXIT_NO_DEPLOYMENT = 1, 2
PROFILES = ("observability", "mail", "s3", "idp")


def look(directory: Path, profiles: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Yield every finding; none stands in the way of the next."""
    yield from machine.look(directory, profiles)
    yield from engine.look()
    yield from files.look(directory, profiles)


def main(arguments: list[str] | None = None) -> int:
    """Print the findings; return the exit status."""
    parser = argparse.ArgumentParser(description="部署前检查 | " + (__doc__ or ""))
    parser.add_argument("directory", nargs="?", type=Path, default=HERE, help="default: beside this file")
    parser.add_argument("--profile", action="append", choices=PROFILES, default=[], help="may be repeated")
    parser.add_argument("--json", action="store_true", dest="as_json", help="for machines")
    given = parser.parse_args(arguments)
    findings = list(look(given.directory, tuple(given.profile)))
    lacking = [each for each in findings if not each.ok]
    print("\n".join(_lines(findings, as_json=given.as_json)))
    if any(each.name == "deployment" for each in lacking):
        return EXIT_NO_DEPLOYMENT
    return EXIT_LACKING if lacking else 0


def _lines(findings: list[Finding], *, as_json: bool) -> Iterator[str]:
    if as_json:
        data = {"ok": all(each.ok for each in findings), "checks": [asdict(each) for each in findings]}
        yield json.dumps(data, ensure_ascii=False)
        return
    for each in findings:
        yield f"{'✓' if each.ok else '✗'} {each.name:<22} {each.found}"
        if not each.ok:
            yield f"  {each.zh}\n  {each.en}"


if __name__ == "__main__":
    sys.exit(main())

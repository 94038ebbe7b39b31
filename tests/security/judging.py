"""Judges files one by one, each in a process forked from this one: ``python -m tests.security.judging FOLDER``.

Prints a JSON object per file: what the verifier and the command said, and what it took beyond the
harmless file that comes first.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from cli.verification import verify_file
from services.seal.app import write_trust_bundle
from services.seal.domain.verification import Evidence, verify_document
from services.seal.providers import load_suites

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judged(path: Path, trust: Path) -> list[str]:
    """Return the verdicts of the verifier behind gRPC and HTTP, and of ``tongban verify``."""
    report = verify_document(path.read_bytes(), Evidence(suites=load_suites(), now=NOW))
    return [report.verdict.value, verify_file(path, trust, NOW).verdict]


def main() -> None:
    folder = Path(sys.argv[1])
    trust = folder / "trust"
    write_trust_bundle(trust, anchors=[], certificates=[], crls=[], status_list=b"", own_makers=[])
    load_suites()
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            os.write(writer, json.dumps(judged(path, trust)).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            said = answer.read()
        _, status, used = os.wait4(process, 0)
        print(
            json.dumps(
                {
                    "name": path.name,
                    "verdicts": json.loads(said or "[]"),
                    "status": status,
                    "seconds": used.ru_utime + used.ru_stime,
                    "peak_kib": used.ru_maxrss,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Every statement that a running stack really sent to its databases, taken from the server's own log."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import asyncpg

_LOGGED = re.compile(r"^duration: [\d.]+ ms  execute [^:]*: (?P<statement>.*)$", re.DOTALL)
_SETTINGS = {
    "log_destination": "jsonlog",
    "log_min_duration_statement": "0",
    "log_parameter_max_length": "0",  # values stay out of the log: they are personal data
}


async def log_statements(admin_dsn: str) -> None:
    """Have the server log each statement from now on."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        for name, value in _SETTINGS.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def statements_of(data_dir: Path) -> dict[str, set[str]]:
    """Return the distinct prepared statements of each database."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (data_dir / "server-log").glob("*.json"):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            logged = _LOGGED.match(entry.get("message", ""))
            if logged and "dbname" in entry:
                found[entry["dbname"]].add(logged["statement"])
    return found

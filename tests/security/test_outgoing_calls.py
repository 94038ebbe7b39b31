"""Who may open a connection: a lint over the source, so that a new client goes through the egress component."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.promise("P21")]

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = frozenset(
    ("httpx", "requests", "aiohttp", "urllib.request", "urllib3", "http.client", "socket", "smtplib", "ftplib",
     "telnetlib", "xmlrpc", "aiosmtplib", "websockets", "boto3", "aioboto3", "aiobotocore", "socketserver")
)  # fmt: skip
KNOWN = {
    "chassis/egress/checking.py": "resolves the host",
    "chassis/egress/client.py": "the component itself",
    "chassis/web/serve.py": "binds the listening socket",
    "services/intake/clients/inspection/runner.py": "a socket pair with the process that parses files",
    "services/intake/clients/inspection/server.py": "the other end of that pair",
    "chassis/scanner.py": "a socket to clamd, whose address only a setting gives",
    "services/notify/clients/sms.py": "through the component; names httpx's statuses and errors",
    "services/notify/clients/mail.py": "SMTP over TLS to the one host that a setting names",
    "services/seal/clients/stamping_places.py": "our own time-stamper by mutual TLS, others through the component",
    "cli/keeping/machine.py": "the doctor knocks at the addresses of the settings",
    "cli/clients/door.py": "the command line asks the address its operator gives",
    "cli/clients/problems.py": "reads answers only",
    "cli/local/ports.py": "finds a free port on loopback",
}
"""Who else opens connections by other means: grpc (`chassis.rpc.channel`), asyncpg and aiokafka, each to a setting."""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Attribute) and node.attr in {"open_connection", "create_connection"}:
            yield "socket"


def sources() -> Iterator[Path]:
    for folder in ("chassis", "services", "cli", "events", "standards"):
        yield from (ROOT / folder).rglob("*.py")


def test_connections_are_opened_in_named_places_only() -> None:
    found = set()
    for path in sources():
        names = set(imported(ast.parse(path.read_text(encoding="utf-8"))))
        if any(name == client or name.startswith(f"{client}.") for name in names for client in CLIENTS):
            found.add(str(path.relative_to(ROOT)))
    assert found - set(KNOWN) == set(), "outgoing calls go through chassis.egress"


def test_a_client_made_elsewhere_would_be_seen() -> None:
    for text in (
        "import httpx",
        "from urllib import request",
        "from http.client import HTTPSConnection",
        "import asyncio\nasyncio.open_connection('h', 1)",
    ):
        assert CLIENTS & set(imported(ast.parse(text)))

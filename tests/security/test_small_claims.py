"""Single requirements of the ASVS list that no other test asks for: TLS, smuggling, downloads, log lines, the source."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from chassis import logs
from chassis.rpc.peer import Peer
from chassis.web import bind, serve_web, web_app
from chassis.web.serve import _tls_context
from cli.local.authority import open_authority
from services.intake.domain.identity.challenge import CODE_DIGITS, LIFETIME, MAX_TRIES
from tests.integration.intake.stage import Stage, card, open_stage, own_licence

ROOT = Path(__file__).resolve().parents[2]


def sources() -> Iterator[tuple[str, ast.AST]]:
    for folder in ("chassis", "services", "cli", "events", "standards"):
        for path in (ROOT / folder).rglob("*.py"):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_tls_begins_at_1_2_with_strong_ciphers(tmp_path) -> None:
    context = _tls_context(
        open_authority(tmp_path).identity(Peer("service", "intake")), client_certificates=True
    )
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    weak = [
        each["name"]
        for each in context.get_ciphers()
        if re.search(r"RC4|DES|MD5|NULL|EXP|CBC3|anon", each["name"])
    ]
    assert weak == []
    assert all(each["strength_bits"] >= 128 for each in context.get_ciphers())


def test_nothing_builds_code_commands_or_objects_from_input() -> None:
    """No eval, exec or compile, no shell, no pickle or yaml that makes objects."""
    found = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                shell = any(
                    each.arg == "shell" and ast.unparse(each.value) != "False" for each in node.keywords
                )
                if called in {"eval", "exec", "compile", "os.system", "os.popen"} or shell:
                    found.append((name, called))
                if called in {
                    "pickle.loads",
                    "pickle.load",
                    "marshal.loads",
                    "yaml.load",
                    "yaml.unsafe_load",
                }:
                    safe = any(
                        re.search("Safe|_UniqueKeyLoader", ast.unparse(each))
                        for each in [*node.args, *(k.value for k in node.keywords)]
                    )
                    found += [] if safe else [(name, called)]
    assert found == []


OWN_TEXTS = {
    ("services/certs/store/licences.py", "condition"): "an argument of a private function, always a literal",
    ("services/intake/store/retention.py", "table"): "one of three literals in the line above",
    ("services/intake/store/cases.py", "locking"): "an argument of a private function, always a literal",
    ("services/seal/store/ledger.py", "where"): "an argument of private functions, always a literal",
    ("services/seal/store/permissions.py", "where"): "an argument of a private function, always a literal",
    (
        "services/seal/store/permissions.py",
        "table.table",
    ): "an argument of private functions, always a constant",
    ("services/seal/store/permissions.py", "table.names"): "the columns of the same constant",
    ("services/seal/store/permissions.py", "places"): "$1, $2 and so on, counted",
    (
        "services/seal/store/applications.py",
        "self._read",
    ): "put together from constants when the store is made",
    ("services/seal/store/applications.py", "places"): "$1, $2 and so on, counted",
    ("services/seal/store/applications.py", "changes"): "column = $n for six literals in the lines above",
    ("services/seal/store/seals.py", "self._read"): "put together from constants when the store is made",
    ("services/seal/store/seals.py", "where"): "an argument of a private function, always a literal",
    ("services/seal/store/seals.py", "places"): "$1, $2 and so on, counted",
    (
        "services/seal/store/seals.py",
        "', '.join(values)",
    ): "column names: the keys of a dictionary display above",
    ("services/seal/store/seals.py", "', '.join(STATES)"): "a constant tuple of column names",
}
"""What is put into a statement without being a constant of the module, with the reason."""


def constant(value: ast.expr) -> bool:
    """Say whether an expression is one of our own texts, or a choice between such."""
    if isinstance(value, ast.IfExp):
        return constant(value.body) and constant(value.orelse)
    if isinstance(value, ast.BinOp):
        return constant(value.left) and constant(value.right)
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id.strip("_").isupper())


def parts_of_statements(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what is put into the texts of statements."""
    asked = {"execute", "fetch", "fetchrow", "fetchval", "executemany"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in asked:
            for statement in node.args[:1]:
                if isinstance(statement, ast.BinOp):
                    yield statement
                elif isinstance(statement, ast.JoinedStr):
                    yield from (
                        each.value for each in statement.values if isinstance(each, ast.FormattedValue)
                    )


def test_no_statement_is_put_together_with_values_that_were_sent() -> None:
    """A statement may be put together from our own texts only; every value is a parameter."""
    found = []
    for name, tree in sources():
        if not name.startswith("services/") or "/migrations/" in name:
            continue
        assigned: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned.setdefault(node.targets[0].id, []).append(node.value)
        for each in parts_of_statements(tree):
            text = ast.unparse(each)
            own = re.fullmatch(r"(?:\w+\.)?_?[A-Z][A-Z0-9_]*(?:\.names)?", text) or all(
                map(constant, assigned.get(text, [each]))
            )
            found += [] if own or (name, text) in OWN_TEXTS else [(name, each.lineno, text)]
    assert found == []


def test_every_cookie_is_for_this_host_over_tls_and_hidden_from_scripts() -> None:
    found = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "set_cookie"
            ):
                given = {each.arg: ast.unparse(each.value) for each in node.keywords}
                found.append(name)
                assert (given["secure"], given["httponly"]) == ("True", "True"), name
                assert given["samesite"] in {"'lax'", "'strict'"}, name
                assert "domain" not in given
                assert '"__Host-' in (ROOT / name).read_text()
    assert found == ["services/intake/api/platform_log_in.py"]


def test_a_code_has_twenty_bits_lives_ten_minutes_at_most_and_few_tries() -> None:
    assert 10**CODE_DIGITS / MAX_TRIES >= 100_000
    assert 10**CODE_DIGITS >= 2**19.9
    assert LIFETIME.total_seconds() <= 600


def test_an_image_takes_no_source_control_in() -> None:
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().split()
    listed = "*" in ignored or "**" in ignored
    assert listed or ".git" in ignored
    assert not [each for each in ignored if each.startswith("!") and ".git" in each]


def test_a_value_cannot_end_its_log_line() -> None:
    stream = io.StringIO()
    logs.configure("test", level="info", log_format="json", stream=stream)
    try:
        structlog.get_logger("x").info("seen", text='a\n{"level":"info","event":"forged"}\r\n\x1b[31m')
    finally:
        structlog.reset_defaults()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["event"] == "seen"
    assert "\x1b" not in lines[0]


async def exchanged(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length : 5\r\n",
        b"X: a\r\n folded\r\nContent-Length: 5 5\r\n",
    ],
)
async def test_a_request_with_two_meanings_is_one_request_or_none(head: bytes) -> None:
    """Smuggling: what follows a doubtful message is never answered as a request of its own."""
    app = web_app("test")

    @app.post("/x")
    async def post() -> str:
        return "post"

    @app.get("/smuggled")
    async def smuggled() -> str:
        return "smuggled"

    stop, listener = asyncio.Event(), bind("127.0.0.1", 0)
    server = asyncio.ensure_future(serve_web(app, "", 0, stop, listener=listener))
    inner = b"GET /smuggled HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
    body = b"0\r\n\r\n" + inner
    try:
        whole = b"POST /x HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" + head + b"\r\n" + body
        answer = await exchanged(listener.getsockname()[1], whole)
    finally:
        stop.set()
        await server
    assert b"smuggled" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1


@pytest.fixture
async def stage(postgres_server, tmp_path) -> Stage:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def test_a_download_has_a_name_of_ours_and_is_no_page(stage: Stage) -> None:
    reading = card()
    entered = await stage.enter(reading, "19900000001")
    stage.registry.held["111", reading["id_number"]] = [own_licence("licence-1")]
    answer = await stage.web.get("/v1/licences/licence-1/document", headers=entered)
    assert answer.status_code == 200, answer.text
    assert re.fullmatch(r'attachment; filename="[a-z0-9.-]+"', answer.headers["content-disposition"])
    assert answer.headers["content-type"].startswith("application/")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_parameter_given_twice_has_no_second_meaning(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    pairs = [("page_size", "1"), ("page_size", "x")]
    assert (await stage.web.get("/v1/cases", params=pairs, headers=entered)).status_code == 400
    body = b'{"kind": "item", "kind": "bundle", "x": 1}'
    both = await stage.web.post(
        "/v1/guides?county=1", content=body, headers={"content-type": "application/json"}
    )
    assert both.status_code == 400


async def test_a_refused_bearer_and_a_refused_peer_leave_a_line() -> None:
    """Refusals of gRPC are logged by `chassis.rpc.guard`, those of HTTP by status in the metrics and the trace."""
    text = (ROOT / "chassis/rpc/guard.py").read_text()
    assert text.count('log.warning("call_refused"') >= 3
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web_app("t")), base_url="https://t") as client:
        assert (await client.get("/nowhere")).status_code == 404

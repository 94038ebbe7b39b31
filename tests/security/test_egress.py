"""Nothing outside our own settings decides that a request goes inside: a table of URLs, and real servers."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence

import pytest

from chassis.egress import EGRESS_FAILED, Egress, EgressPolicy, Inside, check_url, is_public
from chassis.errors import Fault
from chassis.rpc.peer import Peer
from cli.local.authority import Authority, open_authority

pytestmark = [pytest.mark.promise("P21")]

PUBLIC = "93.184.216.34"
NAMES = {
    "good.example": [PUBLIC],
    "six.example": ["2606:2800:220:1:248:1893:25c8:1946"],
    "inside.example": ["10.0.0.5"],
    "loop.example": ["127.0.0.1"],
    "mixed.example": [PUBLIC, "192.168.1.10"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "six-inside.example": ["fd00::1"],
    "metadata.example": ["169.254.169.254"],
    "nothing.example": [],
    "zero.example": ["0.0.0.0"],
    "cgnat.example": ["100.64.1.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "junk.example": ["not an address"],
    "xn--bcher-kva.example": [PUBLIC],
}
REFUSED = [
    # what is not https
    "http://good.example/",
    "ftp://good.example/",
    "file:///etc/passwd",
    "gopher://good.example/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//good.example/",
    "good.example",
    "",
    "https:///path",
    "https:good.example",
    "unix://socket",
    # ports
    "https://good.example:22/",
    "https://good.example:8080/",
    "https://good.example:80/",
    "https://good.example:0/",
    "https://good.example:65536/",
    "https://good.example:-443/",
    "https://good.example:443:443/",
    "https://good.example:/",
    "https://good.example:٤٤٣/",
    # addresses
    "https://127.0.0.1/",
    "https://127.255.255.254/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://198.51.100.7/",
    "https://203.0.113.7/",
    "https://192.88.99.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:93.184.216.34]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd12:3456:789a::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[::1",
    # numbers in disguise
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1./",
    "https://127.0.0.01/",
    "https://１２７.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    # names
    "https://localhost/",
    "https://localhost./",
    "https://good.example./",
    "https://ⓛocalhost/",
    "https://gооd.example/",  # two Cyrillic letters
    "https://.good.example/",
    "https://good..example/",
    "https://-good.example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://intranet/",
    # two parsers, two hosts
    "https://good.example@127.0.0.1/",
    "https://user:secret@good.example/",
    "https://good.example\\@127.0.0.1/",
    "https://good.example%2f@127.0.0.1/",
    "https://good.example%00.inside.example/",
    "https://127.0.0.1%20.good.example/",
    "https://good.example\t.inside.example/",
    "https://good.example\n/",
    " https://good.example/",
    "https://good.example/ ",
    "https://good.example/\r\nHost: inside.example",
    "https://[good.example]/",
    "https://good.example|inside.example/",
    # what the name resolves to
    "https://inside.example/",
    "https://loop.example/",
    "https://mixed.example/",
    "https://mapped.example/",
    "https://six-inside.example/",
    "https://metadata.example/",
    "https://zero.example/",
    "https://cgnat.example/",
    "https://nat64.example/",
    "https://junk.example/",
]
ALLOWED = {
    "https://good.example/": PUBLIC,
    "https://GOOD.example:443/a?b=c#d": PUBLIC,
    "https://six.example/": NAMES["six.example"][0],
    "https://93.184.216.34/": PUBLIC,
    "https://[2606:2800:220:1:248:1893:25c8:1946]/": NAMES["six.example"][0],
    "https://xn--bcher-kva.example/": PUBLIC,
}


async def names(host: str, _port: int) -> Sequence[str]:
    return NAMES[host]


@pytest.mark.parametrize("url", REFUSED)
async def test_a_url_that_could_lead_inside_is_refused(url: str) -> None:
    with pytest.raises(Fault) as refusal:
        await check_url(url, EgressPolicy(), names)
    assert refusal.value.code == "EGRESS_REFUSED"
    with pytest.raises(Fault) as again:  # the client itself, which connects to nothing for it
        await (client := Egress(EgressPolicy(), resolve=names)).request("GET", url)
    assert again.value.code == "EGRESS_REFUSED"
    await client.close()


def test_the_table_is_long_enough() -> None:
    assert len(set(REFUSED)) >= 60


@pytest.mark.parametrize(("url", "address"), ALLOWED.items())
async def test_a_public_https_url_goes_to_the_address_that_was_checked(url: str, address: str) -> None:
    target = await check_url(url, EgressPolicy(), names)
    assert (target.address, target.port, target.tls) == (address, 443, True)


async def test_a_name_without_an_address_fails_and_a_policy_may_name_its_hosts() -> None:
    with pytest.raises(Fault) as nothing:
        await check_url("https://nothing.example/", EgressPolicy(), names)
    assert nothing.value.reason is EGRESS_FAILED
    only = EgressPolicy(hosts=frozenset({"six.example"}))
    await check_url("https://six.example/", only, names)
    with pytest.raises(Fault, match="EGRESS_REFUSED"):
        await check_url("https://good.example/", only, names)


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "fe80::1", "100.64.0.1", "198.18.0.1", "2002::1", "::"])
def test_no_special_address_is_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


# --- real servers on loopback, which an operator's setting names ---

HOST = "sms.gateway.test"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


class Server:
    """A TLS server that answers with fixed bytes and notes what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.names: list[str | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        if not self.answer:
            await asyncio.sleep(1)
        writer.write(self.answer)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
async def listening(authority: Authority) -> AsyncIterator:
    """``server, port, host = await listening(answer)``; its certificate is for ``host`` only."""
    opened: list[asyncio.Server] = []

    async def start(answer: bytes) -> tuple[Server, int, str]:
        server = Server(answer)
        identity = authority.identity(Peer("service", "notify"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(identity.certificate, identity.key)
        context.sni_callback = lambda _socket, name, _context: server.names.append(name)
        running = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
        opened.append(running)
        from chassis.rpc.channel import service

        return server, running.sockets[0].getsockname()[1], service("notify").host_name

    yield start
    for each in opened:
        each.close()


def reaching(authority: Authority, host: str, port: int, **given: object) -> Egress:
    policy = EgressPolicy(inside=(Inside(host, port, (LOOPBACK,)),), **given)  # type: ignore[arg-type]

    async def loopback(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    trust = ssl.create_default_context(cafile=str(authority.root_file))
    return Egress(policy, resolve=loopback, trust=trust)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_host_that_a_setting_names_is_reached_by_its_name(authority, listening) -> None:
    server, port, host = await listening(OK)
    client = reaching(authority, host, port)
    answer = await client.request("POST", f"https://{host}:{port}/send?x=1", content=b"{}")
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert server.names == [host]
    assert f"Host: {host}:{port}\r\n".encode() in server.asked[0]
    assert server.asked[0].startswith(b"POST /send?x=1 ")
    with pytest.raises(Fault, match="EGRESS_REFUSED"):  # the exception is for that host and port
        await client.request("GET", f"https://{host}:{port + 1}/")
    await client.close()


async def test_a_server_that_cannot_prove_the_name_is_not_talked_to(authority, listening) -> None:
    server, port, _host = await listening(OK)
    client = reaching(authority, "other.gateway.test", port)
    with pytest.raises(Fault, match="EGRESS_FAILED"):
        await client.request("GET", f"https://other.gateway.test:{port}/")
    assert server.asked == []
    await client.close()


async def test_a_redirect_is_an_answer_and_is_never_followed(authority, listening) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    server, port, host = await listening(moved)
    client = reaching(authority, host, port)
    answer = await client.request("GET", f"https://{host}:{port}/")
    assert answer.status_code == 302
    assert len(server.asked) == 1
    await client.close()


async def test_a_resolver_that_changes_its_mind_gains_nothing(authority, listening) -> None:
    """Rebinding: the first answer is allowed and connected to; the second, inside, is never asked for by it."""
    server, port, host = await listening(OK)
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    asked: list[str] = []

    async def rebinding(name: str, _port: int) -> Sequence[str]:
        asked.append(name)
        return next(answers)

    only = (ipaddress.ip_network("127.0.0.2"),)  # stands for the public address; nobody listens there
    client = Egress(EgressPolicy(inside=(Inside(host, port, only),)), resolve=rebinding)
    with pytest.raises(Fault, match="EGRESS_FAILED"):
        await client.request("GET", f"https://{host}:{port}/")
    assert asked == [host]
    with pytest.raises(Fault, match="EGRESS_REFUSED"):
        await client.request("GET", f"https://{host}:{port}/")
    assert server.asked == []
    await client.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 5000\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_an_answer_over_the_limit_is_cut_off(authority, listening, framing) -> None:
    body = b"x" * 5000 if b"Length" in framing else b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"
    _server, port, host = await listening(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + body)
    client = reaching(authority, host, port, max_answer_bytes=1000)
    with pytest.raises(Fault, match="EGRESS_ANSWER_TOO_LARGE"):
        await client.request("GET", f"https://{host}:{port}/")
    await client.close()


async def test_a_server_that_says_nothing_is_left_in_time(authority, listening) -> None:
    _server, port, host = await listening(b"")
    silent = reaching(authority, host, port, timeout_seconds=0.4)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Fault, match="EGRESS_FAILED"):
        await silent.request("GET", f"https://{host}:{port}/")
    assert asyncio.get_running_loop().time() - began < 2
    await silent.close()


async def test_plain_http_needs_a_setting_of_its_own() -> None:
    inside = Inside(HOST, 8025, (LOOPBACK,))
    plain = Inside(HOST, 8025, (LOOPBACK,), plain=True)

    async def loopback(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    url = f"http://{HOST}:8025/"
    with pytest.raises(Fault, match="EGRESS_REFUSED"):
        await check_url(url, EgressPolicy(inside=(inside,)), loopback)
    assert not (await check_url(url, EgressPolicy(inside=(plain,)), loopback)).tls

"""Asking a witness over HTTP; witnesses lie outside, so they are reached over the one way out."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.egress import Egress, EgressPolicy, Inside
from chassis.tlog.note import NOTE_MALFORMED, Verifier
from chassis.tlog.witness import PATH, Request

ANSWER_SECONDS = 5.0
MAX_ANSWER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness: the key that verifies its cosignatures and where it is asked."""

    verifier: Verifier
    url: str

    @property
    def name(self) -> str:
        """The name in its signature lines."""
        return self.verifier.name


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered; its words are not believed before they are checked."""

    status: int
    text: str


def parse_witnesses(listed: str) -> list[Witness]:
    """Read ``<verifier key>@<url>``, comma separated. Raises NOTE_MALFORMED."""
    found = []
    for each in filter(None, (part.strip() for part in listed.split(","))):
        key, at, url = each.partition("@")
        if not at or urlsplit(url).scheme not in {"http", "https"}:
            raise NOTE_MALFORMED(start=each[:80])
        found.append(Witness(Verifier.parse(key), url.rstrip("/")))
    return found


def witness_egress(witnesses: Sequence[Witness], networks: Sequence[str]) -> Egress:
    """Return the way out to these witnesses and nowhere else; ``networks`` are those inside which they may lie.

    Plain http only there: what is said is public and signed.
    """
    inside = tuple(ipaddress.ip_network(each) for each in networks)
    places = [(split.hostname or "", split.port or 443) for split in (urlsplit(w.url) for w in witnesses)]
    return Egress(
        EgressPolicy(
            ports=frozenset(port for _, port in places),
            inside=tuple(Inside(host, port, inside, plain=True) for host, port in places if inside),
            hosts=frozenset(host for host, _ in places),
            timeout_seconds=ANSWER_SECONDS,
            connect_seconds=ANSWER_SECONDS / 2,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
    )


async def ask(egress: Egress, witness: Witness, request: Request) -> Answer:
    """Return a witness's answer. Raises EGRESS_FAILED, EGRESS_REFUSED, EGRESS_ANSWER_TOO_LARGE."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    answer = await egress.request("POST", witness.url + PATH, content=request.body, headers=headers)
    return Answer(answer.status_code, answer.text)

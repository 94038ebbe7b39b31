"""A network of network namespaces: one per service, joined by a bridge; cut, half cut or throttled at will.

The kernel's own tools do it (iproute2, nftables), so what is cut is silent: no refusal, no reset. Where
they are not allowed the tests are skipped by name, in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.stacks.needs import unavailable

_RULES = """\
table inet fault {{
  chain out {{
    type filter hook output priority 0;
    {out}
  }}
  chain in {{
    type filter hook input priority 0;
    {into}
  }}
}}
"""


class Network:
    """Namespaces ``<prefix>-<name>`` at ``10.213.<n>.<2…>``, their bridge at ``.1`` in the namespace of the tests."""

    def __init__(self, names: Sequence[str]) -> None:
        number = os.getpid() % 250
        self._prefix = f"tb{os.getpid() % 100_000}"
        self._bridge = f"{self._prefix}br"
        self._hosts = {name: f"10.213.{number}.{place}" for place, name in enumerate(names, start=2)}
        self.gateway = f"10.213.{number}.1"

    def address(self, name: str) -> str:
        """Return the address of a namespace."""
        return self._hosts[name]

    def inside(self, name: str) -> list[str]:
        """Return the words that run a command in a namespace."""
        return ["ip", "netns", "exec", self._space(name)]

    def make(self) -> None:
        """Have bridge, namespaces and addresses. Raises CalledProcessError where that is not allowed."""
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.gateway}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for place, (name, host) in enumerate(self._hosts.items()):
            space, outer = self._space(name), f"{self._prefix}v{place}"
            _ip("netns", "add", space)
            _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", outer, "master", self._bridge, "up")
            _ip("-n", space, "addr", "add", f"{host}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")

    def close(self) -> None:
        """Have nothing of it left, however much of it was made."""
        for name in self._hosts:
            _ip("netns", "del", self._space(name), check=False)
        _ip("link", "del", self._bridge, check=False)

    @contextmanager
    def cut(
        self, name: str, other: str | None = None, *, out: bool = True, into: bool = True
    ) -> Iterator[None]:
        """Drop what one namespace sends (``out``) or is sent (``into``) for the block; all of it, or one other's."""
        to, source = (
            (f"ip daddr {self._hosts[other]} ", f"ip saddr {self._hosts[other]} ") if other else ("", "")
        )
        rules = _RULES.format(
            out=f"oifname eth0 {to}drop" if out else "", into=f"iifname eth0 {source}drop" if into else ""
        )
        _run([*self.inside(name), "nft", "-f", "-"], rules)
        try:
            yield
        finally:
            _run([*self.inside(name), "nft", "delete", "table", "inet", "fault"])

    @contextmanager
    def throttled(self, name: str, kilobits: int) -> Iterator[None]:
        """Have one namespace send no faster than that for the block (token bucket)."""
        tc = [*self.inside(name), "tc", "qdisc"]
        bucket = ["tbf", "rate", f"{kilobits}kbit", "burst", "16kb", "latency", "800ms"]
        _run([*tc, "add", "dev", "eth0", "root", *bucket])
        try:
            yield
        finally:
            _run([*tc, "del", "dev", "eth0", "root"])

    def _space(self, name: str) -> str:
        return f"{self._prefix}-{name}"


@contextmanager
def network(names: Sequence[str]) -> Iterator[Network]:
    """Have the network for the block. Skips, or in CI fails, where the kernel does not allow it."""
    found = Network(names)
    try:
        if missing := [tool for tool in ("ip", "nft", "tc") if shutil.which(tool) is None]:
            unavailable(f"no network namespaces: {', '.join(missing)} not installed")
        try:
            found.make()
        except subprocess.CalledProcessError as problem:
            unavailable(f"no network namespaces: {problem.stderr.strip()}")
        yield found
    finally:
        found.close()


def _ip(*words: str, check: bool = True) -> None:
    _run(["ip", *words], check=check)


def _run(command: Sequence[str], given: str | None = None, *, check: bool = True) -> None:
    subprocess.run(command, input=given, capture_output=True, text=True, check=check)

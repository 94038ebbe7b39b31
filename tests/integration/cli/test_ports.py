"""Ports of local servers: two processes are never given the same one at a time."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from cli.local.ports import free_port

GIVEN = "from cli.local.ports import free_port; print(*(free_port() for _ in range(200)))"


def test_processes_that_ask_at_once_are_given_different_ports():
    asking = [
        subprocess.Popen([sys.executable, "-c", GIVEN], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    given = [int(port) for each in asking for port in each.communicate()[0].split()]
    assert len(set(given)) == len(given) == 600


def test_after_the_last_port_comes_the_first(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = free_port()
    next(tmp_path.iterdir()).write_text("31999")
    assert 20_000 <= first < 32_000
    assert 20_000 <= free_port() < 20_500

"""Two processes of one service share a ready file while one takes over from the other."""

from __future__ import annotations

import os
from pathlib import Path

from chassis.readiness import Readiness


def test_a_successors_mark_survives_the_drain_of_the_process_before_it(tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    before = Readiness("database", ready_file=mark)
    before.set("database", holds=True)
    mark.write_text(f"{os.getppid()}\n")  # the successor became ready
    before.drain()
    assert mark.read_text() == f"{os.getppid()}\n"


def test_a_starting_successor_leaves_the_mark_of_the_one_that_still_serves(tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    mark.write_text(f"{os.getppid()}\n")
    successor = Readiness("database", ready_file=mark, beside_another=True)
    assert mark.read_text() == f"{os.getppid()}\n"
    successor.set("database", holds=True)
    assert mark.read_text() == f"{os.getpid()}\n"

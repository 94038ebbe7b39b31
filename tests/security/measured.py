"""A file shown to a server of parsers of its own: what was said, how long it took, what memory was reached."""

from __future__ import annotations

import os
import time

from services.intake.clients.inspection import runner


def measured(content: bytes, media_type: str) -> tuple[bytes, float, int]:
    """Return the answer, processor seconds and the largest resident set in KiB, the server's start included.

    Processor time, not the wall's: other tests run on the same two cores.
    """
    began = time.monotonic()
    server = runner.Server()
    answer = server.ask(content, media_type)
    server.control.close()
    _, status, used = os.wait4(server.process.pid, 0)  # with its children, whom it waited for
    server.process.returncode = os.waitstatus_to_exitcode(status)
    assert time.monotonic() - began < 30
    return answer, used.ru_utime + used.ru_stime, used.ru_maxrss

"""The public keys of terminals: one file each, put there by the local authority."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chassis.auth import TerminalAssertion, claimed_terminal, verify_assertion
from chassis.errors import NOT_AUTHENTICATED
from chassis.logs import get_logger
from services.intake.domain.identity.terminals import Terminal

AUDIENCE = "tongban-intake"
CURVE = "P-256"

log = get_logger(__name__)


class TerminalKeys:
    """The port ``Terminals``: terminals of the catalogue whose key lies in the directory.

    A file is ``<terminal_id>.pem`` or ``<terminal_id>.jwk``; it is read again when it changes, and a
    removed one shuts its terminal out from the next log-in on.
    """

    def __init__(self, directory: Path, terminals: Mapping[str, Terminal]) -> None:
        self._directory, self._terminals = directory, terminals
        self._read: dict[str, tuple[Path, int, ECKey]] = {}

    def prove(self, assertion: str, bound_to: dict[str, str], now: datetime) -> TerminalAssertion:
        """Return who signed, over which values. Raises NOT_AUTHENTICATED."""
        terminal_id = claimed_terminal(assertion)
        key = self._key(terminal_id) if terminal_id in self._terminals else None
        if key is None:
            raise NOT_AUTHENTICATED()
        return verify_assertion(assertion, key, audience=AUDIENCE, now=now, bound_to=bound_to)

    def _key(self, terminal_id: str) -> ECKey | None:
        for suffix in (".pem", ".jwk"):
            path = self._directory / f"{terminal_id}{suffix}"
            try:
                changed = path.stat().st_mtime_ns
                known = self._read.get(terminal_id)
                if known is None or known[:2] != (path, changed):
                    known = self._read[terminal_id] = (path, changed, _read_key(path))
            except FileNotFoundError:
                continue
            except (OSError, JoseError, ValueError, TypeError, KeyError) as problem:
                log.warning("terminal_key_unreadable", terminal_id=terminal_id, cause=type(problem).__name__)
                return None
            return known[2]
        return None


def _read_key(path: Path) -> ECKey:
    """Return the public key of a file. Raises ValueError for anything but a P-256 public key."""
    content = path.read_bytes()
    key = ECKey.import_key(json.loads(content) if path.suffix == ".jwk" else content)
    if key.curve_name != CURVE:
        message = "not a P-256 key"
        raise ValueError(message)
    return ECKey.import_key(key.as_dict(private=False))

"""The maker's end of the directory in which the time-stamping authority's keys are certified."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from services.seal.domain.stamping_keys import StampingRequest, read_stamping_request
from services.seal.domain.suite import Suites


class StampingExchange:
    """Implements the port StampingDesk over a directory; one that is not there holds no requests."""

    def __init__(self, directory: Path, suites: Suites) -> None:
        self._directory, self._suites = directory, suites

    def open_requests(self) -> Iterator[StampingRequest]:
        """Yield the requests without a certificate whose senders hold the private half."""
        for path in sorted(self._directory.glob("*.request")):
            if path.with_suffix(".der").exists():
                continue
            request = read_stamping_request(path.read_bytes(), self._suites)
            if request is not None and request.key_id == path.stem:
                yield request

    def give(self, key_id: str, certificate: bytes) -> None:
        """Have the certificate where the authority finds it, whole."""
        fresh = self._directory / f".{key_id}.der.new"
        with fresh.open("wb") as file:
            file.write(certificate)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o640)
        fresh.replace(self._directory / f"{key_id}.der")

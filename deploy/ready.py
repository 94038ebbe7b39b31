#!/usr/bin/env -S python3 -I
"""The health check of a container: status 0 while its ``/readyz`` answers 200.

With a file and a number of seconds: status 0 while the file is younger than that. With an http address of this
container: status 0 while it answers 200.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys
import time
from pathlib import Path

PORT, LIMIT_SECONDS = 8080, 4
CERTIFICATE_VARIABLE = "TONGBAN_HTTP_CERTIFICATE"


def ready() -> bool:
    """Return whether the service in this container is ready; no answer is no."""
    try:
        connection = connect()
    except (OSError, ssl.SSLError):
        return False
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers(address: str) -> bool:
    """Return whether a door of this container answers 200."""
    _, _, host, path = address.split("/", 3)
    connection = http.client.HTTPConnection(host, timeout=LIMIT_SECONDS)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def connect() -> http.client.HTTPConnection:
    """Return a connection to this container's own door, whose certificate must be the very one it was given."""
    certificate = os.environ.get(CERTIFICATE_VARIABLE)
    if not certificate:
        return http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT_SECONDS)
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False  # it may be for the county's public name only
    return http.client.HTTPSConnection("127.0.0.1", PORT, timeout=LIMIT_SECONDS, context=context)


def fresh(path: Path, seconds: float) -> bool:
    """Return whether the file was touched lately; a missing one was not."""
    try:
        return time.time() - path.stat().st_mtime < seconds
    except OSError:
        return False


if __name__ == "__main__":
    match sys.argv[1:]:
        case [address]:
            good = answers(address)
        case [path, seconds]:
            good = fresh(Path(path), float(seconds))
        case _:
            good = ready()
    sys.exit(0 if good else 1)

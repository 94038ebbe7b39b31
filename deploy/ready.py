#!/usr/bin/env -S python3 -I
"""The health check of a service's container: status 0 while its ``/readyz`` answers 200."""

from __future__ import annotations

import http.client
import sys

PORT, LIMIT_SECONDS = 8080, 4


def ready() -> bool:
    """Return whether the service in this container is ready; no answer is no."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready() else 1)

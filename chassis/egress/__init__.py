"""Outgoing HTTP to hosts that are not ours: one place that no request can steer inside (ASVS 1.3.6, 13.2.4).

The host is resolved once, every address it has must be public, and the connection goes to the
address that was checked: a second answer of the resolver changes nothing. TLS still proves the host's
name. An operator may name hosts inside (an SMS gateway in the government cloud) in a setting; nothing
that a caller sends can.
"""

from __future__ import annotations

from chassis.egress.checking import (
    EGRESS_FAILED,
    EGRESS_REFUSED,
    EgressPolicy,
    Inside,
    Target,
    check_url,
    is_public,
)
from chassis.egress.client import EGRESS_ANSWER_TOO_LARGE, Egress, EgressTransport

__all__ = [
    "EGRESS_ANSWER_TOO_LARGE",
    "EGRESS_FAILED",
    "EGRESS_REFUSED",
    "Egress",
    "EgressPolicy",
    "EgressTransport",
    "Inside",
    "Target",
    "check_url",
    "is_public",
]

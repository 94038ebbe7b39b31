"""The time-stamping authority: a process of its own with its own keys, RFC 3161 over mutual TLS, both suites.

It has no database, knows no seal and no document: it gets a digest and signs when it was seen. Its keys are made
here and never leave; the maker of seals certifies their public halves, for time stamping and nothing else.
"""

from __future__ import annotations

from services.seal.tsa.authority import StampingAuthority, StampingKey
from services.seal.tsa.door import stamping_app
from services.seal.tsa.forward_clock import ForwardClock
from services.seal.tsa.keys import TsaKeys

__all__ = ["ForwardClock", "StampingAuthority", "StampingKey", "TsaKeys", "stamping_app"]

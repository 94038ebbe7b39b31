"""Who may write and read which topics: the access rules of a deployment's Kafka.

A service writes the topics of its own name and reads those whose events it has handlers for
(``tests/unit/deploy`` compares). An operator's tools may do all, for replays and restores; departments
and terminals, whose certificates are of the same authority, may do nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from chassis.bus.kafka.acls import Acl

READS = {
    "intake": (
        "intake.case.v1",
        "certs.licence.v1",
        "certs.reliance.v1",
        "seal.signature.v1",
        "notify.message.v1",
    ),
    "certs": ("intake.case.v1", "seal.signature.v1", "certs.mirror.v1"),
    "seal": ("certs.licence.v1", "certs.pdf.v1"),
    "notify": ("intake.case.v1",),
}
TOOLS = "tools"
"""The principal of an operator's tools."""


def topic_access() -> Iterator[Acl]:
    """Yield every rule."""
    for service, topics in READS.items():
        own = f"{service}."
        yield Acl(service, "write", "topic", own, "prefixed")
        yield Acl(service, "read", "topic", own, "prefixed")
        for topic in topics:
            yield Acl(service, "read", "topic", topic)
        yield Acl(service, "read", "group", service)
    yield Acl(TOOLS, "all", "topic", "*")
    yield Acl(TOOLS, "all", "group", "*")

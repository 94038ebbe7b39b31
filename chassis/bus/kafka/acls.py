"""Access rules of a Kafka cluster: who may do what to which topics and groups.

Rules are added, never taken away: what a release no longer needs is removed by hand.
The numbers are those of Kafka's protocol (``AclOperation``, ``ResourceType``, ``PatternType``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from chassis.errors import Kind, declare

ACL_REFUSED = declare(
    "BUS_ACL_REFUSED",
    Kind.FAILED_PRECONDITION,
    "消息总线拒绝了访问规则：{cause}",
    "The bus refused an access rule: {cause}",
)

Operation = Literal["all", "read", "write", "describe", "delete"]
_OPERATIONS: dict[Operation, int] = {"all": 2, "read": 3, "write": 4, "delete": 6, "describe": 8}
_RESOURCES = {"topic": 2, "group": 3}
_ALLOW, _ANY_HOST = 3, "*"
_PATTERNS = {"literal": 3, "prefixed": 4}


@dataclass(frozen=True, slots=True)
class Acl:
    """What a principal may do; ``*`` as a literal name is every one of the kind."""

    principal: str
    operation: Operation
    resource: Literal["topic", "group"]
    name: str
    pattern: Literal["literal", "prefixed"] = "literal"


async def add_acls(admin: AIOKafkaAdminClient, rules: Iterable[Acl]) -> None:
    """Have every rule in the cluster; those that are there already stay. Raises BUS_ACL_REFUSED, KafkaError."""
    for rule in rules:
        request = CreateAclsRequest(
            _RESOURCES[rule.resource],
            rule.name,
            _PATTERNS[rule.pattern],
            f"User:{rule.principal}",
            _ANY_HOST,
            _OPERATIONS[rule.operation],
            _ALLOW,
        )
        answer: Any = await admin._send_request(request)  # noqa: SLF001 - aiokafka has no public call for it
        for code, message in answer.creation_responses:
            if code:
                raise ACL_REFUSED(cause=message or str(code))

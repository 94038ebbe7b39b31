"""Every method of the committed contracts says who may call it and on which objects."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from chassis.rpc.access import Method, methods_of

GEN = Path(__file__).parents[3] / "gen"


def contract_methods() -> list[Method]:
    methods: list[Method] = []
    for path in sorted(GEN.rglob("*_pb2.py")):
        module = importlib.import_module(".".join(path.relative_to(GEN).with_suffix("").parts))
        for service in module.DESCRIPTOR.services_by_name.values():
            methods += methods_of(service.full_name).values()
    return methods


@pytest.mark.parametrize("method", contract_methods(), ids=lambda method: method.path)
def test_a_method_names_its_object_rule_and_a_request_id_means_it_has_effects(method) -> None:
    assert method.object_rule
    assert method.mutating == method.has_request_id

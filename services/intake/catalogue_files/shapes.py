"""Turns plain values into the frozen classes of the domain and says in which field a value is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from chassis.errors import Violation
from services.intake.domain.catalogue import bundles, forms, instant, items, licences, model, places
from services.intake.domain.catalogue.rules.reasons import SHAPE_WRONG
from standards import working_days

_MODULES = (places, licences, forms, instant, items, bundles, model, working_days)
T = TypeVar("T")


def _refuse_unknown_keys(modules: Iterable[ModuleType]) -> None:
    """Have pydantic refuse keys that a class does not have; the domain itself stays free of pydantic."""
    for module in modules:
        for found in vars(module).values():
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                with_config(ConfigDict(extra="forbid"))(found)


_refuse_unknown_keys(_MODULES)


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(shape: type[Any]) -> TypeAdapter[Any]:
    """Return the adapter of a class; making one costs more than using it a hundred times."""
    if shape not in _adapters:
        _adapters[shape] = TypeAdapter(shape)
    return _adapters[shape]


class Shaper:
    """Builds objects and collects what cannot be built, instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[Violation] = []

    def build(self, shape: type[T], value: object, path: str) -> T | None:
        """Return the object, or None after noting every wrong field below ``path``."""
        try:
            built: T = _adapter(shape).validate_python(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                field = ".".join(str(step) for step in detail["loc"])
                self.note(f"{path}: {field}" if field else path, detail["msg"])
            return None
        return built

    def build_all(self, shape: type[T], values: Iterable[tuple[str, object]]) -> list[T]:
        """Return the objects that could be built from pairs of path and value."""
        built = (self.build(shape, value, path) for path, value in values)
        return [one for one in built if one is not None]

    def index(self, built: Iterable[T], key: str, path: str) -> dict[Any, T]:
        """Return the objects by an attribute and note every repeated key."""
        table: dict[Any, T] = {}
        for one in built:
            name = getattr(one, key)
            if name in table:
                self.note(f"{path}: {key}", f"{name} occurs more than once")
            table[name] = one
        return table

    def note(self, path: str, problem: str) -> None:
        """Note a problem of shape."""
        self.problems.append(SHAPE_WRONG.at(path, problem=problem))

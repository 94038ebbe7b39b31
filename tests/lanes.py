"""Which tests share a worker of a parallel run (``-n 2 --dist loadgroup``), so that costly things start once.

The tests of a file stay together. Whole stacks run one after the other beside everything else: they mostly wait,
and two of them at a time would each be judged by the other's load. A test's own ``xdist_group`` goes before.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_LANES = {
    "chaos": "stacks",
    "e2e": "stacks",
    "history": "stacks",
    "compose": "containers",
    "containers": "containers",
}
_ALONE = frozenset({"unit", "simulator"})
"""Folders whose tests share nothing: each goes where there is room."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return
    root = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(root)
        folder = path.parts[0]
        if folder not in _ALONE and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_LANES.get(folder, path.as_posix())))

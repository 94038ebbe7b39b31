"""Garbage collection in a process that serves: seldom, and never over what lives as long as the process.

Modules, catalogue and generated classes are some hundred thousand objects. A full collection walks them all
while every call waits: 100 ms and more on a busy machine, every few hundred look-ups in the registry
(measured). Nearly everything a call leaves behind is freed by counting references; cycles wait a little
longer than Python's default has them.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 20_000
"""New objects that bring about a collection of the young; Python's default of 700 is less than one call makes."""


def spare_what_stays() -> None:
    """Leave out of every later collection what is there now; for once, when a process is built and before it serves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])

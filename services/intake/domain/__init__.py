"""The rules of the one-window intake, pure: no input, no output, no clock of its own.

One package per noun: identity, catalogue, cases, supervision, ratings, workorders, archive.
It knows the standard library, ``standards``, ``chassis.errors`` and ``chassis.clock``.
"""

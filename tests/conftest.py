"""What every kind of test shares: a real PostgreSQL, a real Kafka, seeds, promises."""

from __future__ import annotations

pytest_plugins = [
    "tests.lanes",
    "tests.promises",
    "tests.quiet",
    "tests.seeds",
    "tests.stacks.postgres",
    "tests.stacks.kafka",
    "tests.stacks.engine",
    "tests.stacks.images",
    "tests.stacks.object_store",
]

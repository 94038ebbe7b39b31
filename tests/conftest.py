"""Fixtures that every kind of test shares: a real PostgreSQL and a real Kafka."""

from __future__ import annotations

pytest_plugins = ["tests.stacks.postgres", "tests.stacks.kafka"]

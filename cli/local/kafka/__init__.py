"""A real Apache Kafka for one machine: from a Docker engine, or from the published jars with Java.

It listens on the loopback interface only, without encryption, and is made for development and tests.
"""

from cli.local.kafka.broker import RunningKafka, start_kafka

__all__ = ["RunningKafka", "start_kafka"]

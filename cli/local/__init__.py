"""The local stack: embedded PostgreSQL, an optional real Kafka, four service processes, one supervisor."""

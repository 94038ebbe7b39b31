#!/bin/bash
# Kafka as Apache's image starts it: KAFKA_X_Y becomes the property x.y, storage is formatted once for CLUSTER_ID.
# Apache's own KafkaDockerWrapper, which is part of the published jars, does both.
set -euo pipefail
export CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
bin=/opt/kafka/bin

if ! told=$(KAFKA_HEAP_OPTS=-Xmx128m "$bin/kafka-run-class.sh" kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \
    --final-configs-dir /opt/kafka/config 2>&1) && ! grep -qi 'already formatted' <<<"$told"; then
  echo "$told" >&2
  exit 1
fi
exec "$bin/kafka-server-start.sh" /opt/kafka/config/server.properties

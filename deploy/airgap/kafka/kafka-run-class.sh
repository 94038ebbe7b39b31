#!/bin/bash
# Runs a class of Kafka's; under the name of a program of `programs`, that program's class.
set -euo pipefail
home=/opt/kafka
name=$(basename "$0")
class=()
if [[ $name != kafka-run-class.sh ]]; then
  class=("$(awk -v name="$name" '$1 == name { print $2 }' "$home/bin/programs")")
fi
if [[ $name == kafka-server-start.sh ]]; then
  heap=${KAFKA_HEAP_OPTS:--Xms512m -Xmx1g} settings=$home/config/log4j2.yaml
else
  heap=${KAFKA_HEAP_OPTS:--Xmx256m} settings=/etc/kafka/docker/tools-log4j2.yaml
fi
speed=${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1}
[[ $name != kafka-server-start.sh ]] || speed=${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseG1GC -XX:MaxGCPauseMillis=20}
# shellcheck disable=SC2086  # the variables hold several options each
exec java $heap $speed -Djava.awt.headless=true "-Dkafka.logs.dir=${LOG_DIR:-$home/logs}" \
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$settings} ${KAFKA_JMX_OPTS-} ${KAFKA_OPTS-} \
  -cp "$home/libs/*${CLASSPATH:+:$CLASSPATH}" "${class[@]}" "$@"

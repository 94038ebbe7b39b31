"""Resolve the jars of pom.xml anew and rewrite jars.lock."""

from cli.local.kafka.jars import rewrite_lock

rewrite_lock()

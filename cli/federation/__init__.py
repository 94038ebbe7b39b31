"""Registries of several deployments: agreeing with one another, mirroring their topics."""

"""The commands, one module per group; each has ``register(app)`` and is listed in `cli.main`."""

"""`python -m cli` is `tongban`."""

from cli.main import app

app()

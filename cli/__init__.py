"""The `tongban` command: the local stack, checks, imports, verification, operations."""

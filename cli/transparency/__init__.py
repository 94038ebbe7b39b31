"""The transparency log seen from outside: read whole, recomputed, compared with the registry."""

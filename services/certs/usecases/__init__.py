"""The verbs of the registry: each a function over the ports it declares."""

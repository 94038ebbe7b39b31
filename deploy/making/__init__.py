"""What one county's deployment keeps to itself, made on its own machine: secrets, keys, identities, the ``.env``."""

"""What the services tell each other: every event declared once, by its producer.

Importing this package declares them all. Changes are additive only; a breaking change is a new type.
"""

from events import certs, intake, notify, seal

__all__ = ["certs", "intake", "notify", "seal"]

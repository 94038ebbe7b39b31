"""What intake asks of other services."""

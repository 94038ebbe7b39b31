"""What a machine needs before a deployment starts on it, looked at piece by piece."""

"""What keeps a deployment's data: backups of all services at one moment, their restoring, reconciling."""

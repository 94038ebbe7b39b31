"""Clients of the public doors: intake's HTTP, the departments' gRPC, the sandbox page. Nothing else is reached."""

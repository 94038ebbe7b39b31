"""The gRPC doors: parts for departments, issue data for certs, contacts for notify."""

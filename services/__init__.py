"""The four services. None imports another; they meet over gRPC and events."""

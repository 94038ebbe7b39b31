"""The call side: gRPC servers and channels with mutual TLS, one error mapping, deadlines, stored answers."""

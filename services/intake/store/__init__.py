"""PostgreSQL behind the ports of the use cases: columns enumerated, one transaction given in."""

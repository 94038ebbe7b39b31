"""A witness (见证方) of transparency logs, C2SP tlog-witness: a process of its own, best run by somebody else.

It signs a checkpoint only if it is a later state of the one it signed before, so nobody can show one log to
one and another to another. It knows the logs' public keys and nothing of what they log.
"""

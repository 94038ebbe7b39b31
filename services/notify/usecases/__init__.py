"""One function per verb: accept a message, deliver what is due, read the inbox."""

"""The rules of notifications: templates, the life of a message, when it is tried again."""

"""Evidence that leaves the registry without the licence: yes or no about it, and copies that are no originals."""

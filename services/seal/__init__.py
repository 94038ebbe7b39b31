"""Seal makes e-seals (电子印章), seals OFD documents with them and says check by check whether a sealing holds."""

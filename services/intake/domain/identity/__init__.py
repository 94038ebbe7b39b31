"""Identity 统一身份: who someone is, how they prove it at a terminal, and for whom they may act.

``terminals``      kiosks and windows that may open sessions
``person``         natural and legal persons, and the reading of an identity card
``challenge``      the one-time code of a log-in: tries, resends, lock-out
``session``        what a confirmed log-in is worth, where, and until when
``representation`` a natural person acting for an organisation
"""

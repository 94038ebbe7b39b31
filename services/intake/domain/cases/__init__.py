"""Cases 办件: what was applied for, what was handed in, what each department does with its part.

``plan``       what the case was begun under: items, material list, form; a snapshot of the catalogue
``states``     the states of a part and the one table of what may follow what
``deadlines``  the two clocks of a part
``part``       one item of a case and its verbs
``materials``  how a material is supplied, and what the catalogue allows
``case``       the aggregate: its version counts its events
``submission`` what stands against submitting, all at once; what was handed in; the receipt
"""

"""Verbs on cases.

``ports``      what they need from outside, as Protocols
``record``     the one way a changed case is saved and announced
``drafting``   begin a case, fill its form, look at it (applicant)
``supplying``  find licences that replace materials, choose, upload (applicant)
``submitting`` hand in, with a signed receipt (applicant)
``following``  supplement, withdraw, timeline (applicant)
``deciding``   take over, accept, refuse, ask for a supplement, sign (departments)
``watching``   the departments' lists and change feed
``issuing``    what certs needs after an approval, and what it answers
"""

"""Verbs of identity 统一身份.

``ports``         what they need from outside, as Protocols
``opening``       read a card, send a one-time code, send it again
``verifying``     take the code, open the session
``sessions``      who a token may still speak for, end a session
``organisations`` represent an organisation, stop doing so, act for it
``contacts``      where a person is reached, with a record of the reading
``persons``       what a person sees of themselves
``sweeping``      forget what has run out
"""

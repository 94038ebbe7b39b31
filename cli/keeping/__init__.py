"""Keeping a deployment sound: keys, certificates, calendars, and the findings of the doctor."""

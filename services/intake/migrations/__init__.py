"""The schema of intake's database; files run once, in order, by `python -m services.intake migrate`."""

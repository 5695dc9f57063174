"""Both programs on an embedded server: `python -m demo`, and the servers and processes the tests start too.

The programs are started as processes with their documented options, never imported, so the demo shows what a user
would see in two terminals; an import-linter contract holds it to that.
"""

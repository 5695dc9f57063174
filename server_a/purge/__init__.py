"""Removes what both programs wrote under a namespace, and nothing else. Read `purge.py` first."""

"""Serving the consumer group: entries, verdicts, dead letters."""

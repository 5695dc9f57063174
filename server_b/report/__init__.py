"""The report of a complete run, and which run ends `--once`."""

"""The report of a complete run, and when `--once` has the one it waits for."""

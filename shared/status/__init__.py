"""The `status` of a hand-over: reading it, judging it, showing it."""

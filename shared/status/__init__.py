"""The `status` of a hand-over: what was seen, what is wrong with it, how it is shown."""

"""One segment: wait for it, read it in reverse, verify it."""

"""Following a read-only replica, with a checkpoint in a file."""

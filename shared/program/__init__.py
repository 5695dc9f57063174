"""What both command lines have in common: options, exit codes, logs, progress."""

"""The consumer: takes the signal, reads the list in reverse, and proves that all of it arrived."""

"""`server-b explain`: everything that is wrong with the lists of a failed run."""

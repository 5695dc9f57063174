"""A run drawn as one file (the report) and live (the page), from what Redis holds."""

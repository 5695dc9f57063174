"""The shop: its commands, and the sample that each run writes."""

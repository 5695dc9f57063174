"""What a failover costs: `python -m bench.failover` kills primaries under load and tells what both programs saw.

It has a command line of its own, because it measures outages and losses and no speed: there is no baseline.
"""

"""Speed side by side: `python -m bench`, behind `make bench`.

Only ratios taken in one run say anything: each contest runs its baseline and its contender in turn, several rounds, on
servers started for it. Keeping figures of earlier runs was rejected: another machine, or the same one an hour later,
differs by more than what is looked for. Nothing here is a test; a missed target is printed, and fails nothing.
"""

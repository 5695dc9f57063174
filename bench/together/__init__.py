"""What a hand-over takes beside others: several server-b, or another client's load. `python -m bench.together`.

It has a command line of its own, because nothing is compared with a raw socket here.
"""

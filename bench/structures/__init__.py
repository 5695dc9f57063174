"""The structures of Redis a list of values could be handed over in, side by side: `python -m bench --structures`.

`shapes` says how each is written and read, `facts` what a server does with it, `trial` times and weighs it, `table`
prints it; `compare` puts them together. What follows from the figures is in `docs/structures.md`.
"""

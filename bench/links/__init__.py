"""Both programs over a link that delays: `python -m bench --links`.

What carries the bytes is a proxy of our own, a process by itself. A delay set in the kernel (`tc netem`) was rejected:
it needs root, and would slow everything else on loopback. A proxy can't delay the opening of a connection, which the
kernel answers, so connecting is free here and takes one round trip on a real link.
"""

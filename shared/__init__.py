"""The contract between the two programs: keys, records, signals, digests, endpoints, errors.

Both programs import this package and never each other. What one writes and the other reads is defined here once, so
that neither can drift; the alternative, a copy in each program, is how a key comes to be spelled in two ways.
"""

__version__ = "0.1.0"

"""The contract between the two programs: what one writes and the other reads, keys, records, signals, digests, errors.

Both programs import this package and never each other. Two copies of the contract would soon differ.
"""

__version__ = "0.1.0"

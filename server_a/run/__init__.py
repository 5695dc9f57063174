"""One run: values into segments, published, signalled, audited. Read `story.py` first."""

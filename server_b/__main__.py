"""`python -m server_b`, as in the container."""

from server_b.cli import main

if __name__ == "__main__":
    main()

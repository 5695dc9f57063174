"""`python -m server_a`, as in the container."""

from server_a.cli import main

if __name__ == "__main__":
    main()

"""`server-b` and `python -m server_b`: signal handlers first, then the imports, which take a while."""

from shared.starting import end_on_signals


def main() -> None:
    """Run server-b and end the process."""
    end_on_signals()
    from server_b import cli

    cli.main()


if __name__ == "__main__":
    main()

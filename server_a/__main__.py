"""`server-a` and `python -m server_a`: signal handlers first, then the imports, which take a while."""

from shared.program.telemetry.switch import prepare_import
from shared.starting import end_on_signals, end_without_parts


def main() -> None:
    """Run server-a and end the process."""
    end_on_signals()
    prepare_import()
    try:
        from server_a import cli
    except (ImportError, OSError) as error:
        end_without_parts("server-a", error)
    cli.main()


if __name__ == "__main__":
    main()

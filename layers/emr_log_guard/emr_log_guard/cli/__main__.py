"""The command: `python -m emr_log_guard.cli`, installed as `emr-log-guard`."""

from emr_log_guard.cli.app import app


def main() -> None:
    """Run the command that the arguments name."""
    app(prog_name="emr-log-guard")


if __name__ == "__main__":
    main()

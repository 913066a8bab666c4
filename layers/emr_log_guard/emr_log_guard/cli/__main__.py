"""The command: `python -m emr_log_guard.cli`, installed as `emr-log-guard`."""

import sys


def main() -> None:
    """Run a command; what another one needs is not even imported."""
    if sys.argv[1:2] == ["audit"]:
        from emr_log_guard.cli.audit import audit  # noqa: PLC0415 - see above

        sys.exit(audit(sys.argv[2:]))
    from emr_log_guard.cli.app import app  # noqa: PLC0415 - see above

    app(prog_name="emr-log-guard")


if __name__ == "__main__":
    main()

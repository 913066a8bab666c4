"""The command: `python -m emr_log_guard.cli`, installed as `emr-log-guard`."""

import sys

from emr_log_guard.cli.ending import INTERRUPTED


def main() -> None:
    """Run a command; what another one needs is not even imported."""
    if sys.argv[1:2] == ["audit"]:
        from emr_log_guard.cli import audit  # noqa: PLC0415 - see above

        try:
            sys.exit(audit.audit(sys.argv[2:]))
        except KeyboardInterrupt:  # before there was anything to report
            sys.exit(INTERRUPTED)
    from emr_log_guard.cli.app import app  # noqa: PLC0415 - see above

    app(prog_name="emr-log-guard")


if __name__ == "__main__":
    main()

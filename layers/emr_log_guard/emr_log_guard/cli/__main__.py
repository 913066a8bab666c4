"""The command: `python -m emr_log_guard.cli`, installed as `emr-log-guard`."""

try:
    from emr_log_guard.cli.app import app
except KeyboardInterrupt:  # the imports take long enough to be interrupted
    raise SystemExit(130) from None


def main() -> None:
    """Run the command that the arguments name."""
    app(prog_name="emr-log-guard")


if __name__ == "__main__":
    main()

"""The command: `python -m emr_log_guard.cli`, installed as `emr-log-guard`."""

from emr_log_guard.cli.app import app

if __name__ == "__main__":
    app(prog_name="emr-log-guard")

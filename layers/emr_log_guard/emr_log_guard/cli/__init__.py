"""The `emr-log-guard` command, for people; no function imports it."""

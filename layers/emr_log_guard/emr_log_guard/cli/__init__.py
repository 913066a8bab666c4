"""The `emr-log-guard` command; no function imports it."""

"""Regions, as they are typed."""

import re

from emr_log_guard.cli.ending import fail

_REGION = re.compile(r"[a-z]+(-[a-z0-9]+)+")


def checked_region(name: str) -> str:
    """Return a name that may be a Region's; end the command when it cannot be one."""
    if not _REGION.fullmatch(name):
        fail(f"{name!r} is no Region: write one such as eu-west-1")
    return name

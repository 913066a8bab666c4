"""Cluster ids as people type them."""

import re

from emr_log_guard.cli.ending import fail

_CLUSTER_ID = re.compile(r"j-[A-Z0-9]+")


def check_cluster_id(typed: str) -> str:
    """Give it back, or say what one looks like and end with status 2."""
    if not _CLUSTER_ID.fullmatch(typed):
        fail(f"{typed!r} is no cluster's id: write one such as j-2AXXXXXXGAPLF")
    return typed

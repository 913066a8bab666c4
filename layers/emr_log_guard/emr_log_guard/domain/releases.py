"""EMR releases, compared as numbers."""

import re
from typing import NamedTuple

_LABEL = re.compile(r"emr-(?:[a-z]+-)*(\d+)\.(\d+)\.(\d+)", re.ASCII)


class Release(NamedTuple):
    """A release as numbers, so that 5.9.0 < 5.30.0 < 5.100.0."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """Write the release without the prefix."""
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_release_label(label: str) -> Release | None:
    """Read a release label such as `emr-7.12.0` or `emr-spark-8.0.0`; None for others.

    https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-release-components.html
    """
    match = _LABEL.fullmatch(label)
    return Release(*map(int, match.groups())) if match else None

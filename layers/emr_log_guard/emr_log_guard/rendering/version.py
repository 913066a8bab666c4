"""Which version wrote a report."""

from importlib import metadata


def version() -> str:
    """Give the installed version; where the package runs from its source, there is none."""
    try:
        return metadata.version("emr-log-guard")
    except metadata.PackageNotFoundError:
        return "unreleased"

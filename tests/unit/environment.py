"""An environment in which nothing reaches AWS by accident: see conftest.py of the unit tests."""

import pytest

from tests.unit.builders import REGION


def without_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give credentials that are no good, and a fixed Region."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)

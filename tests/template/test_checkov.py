"""What is not followed of checkov is reasoned, and nothing else is left out."""

import re
from typing import Any

import yaml

from tests.template.stack import ROOT

CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / ".checkov.yaml").read_text())


def reasons() -> dict[str, str]:
    """Why each check is not followed, by the page."""
    page = (ROOT / "docs" / "security-model.md").read_text()
    rows = re.findall(r"^\| `(CKV_\w+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert len(rows) == len({check for check, _ in rows})
    return dict(rows)


def test_every_check_that_is_left_out_has_its_reason_and_no_other() -> None:
    assert CONFIGURATION["skip-check"] == list(reasons())
    assert all(len(reason.split()) > 10 for reason in reasons().values())


def test_both_templates_are_checked_by_make_check_and_nobody_is_asked() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert CONFIGURATION["file"] == ["template.yaml", "tools/many_accounts/hub.yaml"]
    assert all((ROOT / name).is_file() for name in CONFIGURATION["file"])
    assert CONFIGURATION["skip-download"] is True
    assert ".venv/checkov/bin/checkov --config-file .checkov.yaml" in makefile


def test_no_lock_names_where_its_packages_come_from() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), lock.name

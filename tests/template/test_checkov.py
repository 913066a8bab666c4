"""Every checkov check that is skipped has a documented reason."""

import re
from typing import Any

import yaml

from tests.template.stack import ROOT

CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / ".checkov.yaml").read_text())


def reasons() -> dict[str, str]:
    """The reason for each skipped check, from the page."""
    page = (ROOT / "docs" / "security-model.md").read_text()
    rows = re.findall(r"^\| `(CKV_\w+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert len(rows) == len({check for check, _ in rows})
    return dict(rows)


def test_skipped_checks_are_those_with_a_documented_reason() -> None:
    assert CONFIGURATION["skip-check"] == list(reasons())
    assert all(len(reason.split()) > 10 for reason in reasons().values())


def test_make_check_runs_checkov_offline_on_both_templates() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert CONFIGURATION["file"] == ["template.yaml", "tools/many_accounts/hub.yaml"]
    assert all((ROOT / name).is_file() for name in CONFIGURATION["file"])
    assert CONFIGURATION["skip-download"] is True
    assert ".venv/checkov/bin/checkov --config-file .checkov.yaml" in makefile


def test_lock_files_name_no_package_source() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), lock.name

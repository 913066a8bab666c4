"""What the command is installed from."""

import shutil
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

FILES = ("pyproject.toml", "README.md", "LICENSE")
FOLDERS = (".github/actions/audit", "layers/emr_log_guard/emr_log_guard", "requirements")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the command is made from: a build writes into its folder."""
    folder = tmp_path_factory.mktemp("sources")
    for name in FILES:
        shutil.copy2(ROOT / name, folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    return folder

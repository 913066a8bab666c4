"""What `make package` packs: the same bytes for the same build, and all that a deployment reads."""

import io
import os
import re
import tarfile
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT
from tools.package import archive

NAME = "emr-log-guard-1.2.3"


@pytest.fixture(scope="module")
def packed(built: Path) -> bytes:
    return archive(built.parent, NAME)


def local_paths(part: Any) -> set[str]:  # noqa: ANN401 - a template may hold anything
    """Give each path that a part of a template names: of code, of a layer, of a text."""
    if isinstance(part, list):
        return set().union(*map(local_paths, part))
    if not isinstance(part, dict):
        return set()
    named = {
        value
        for name, value in part.items()
        if re.search("Ur[il]$", name) and isinstance(value, str) and "://" not in value
    }
    return named.union(*map(local_paths, part.values()))


def test_the_same_build_in_another_folder_at_another_time_gives_the_same_bytes(
    built: Path, packed: bytes, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere" / "build"
    copytree(built.parent, copy)
    template = copy / "template.yaml"
    text = template.read_text()
    for path in re.findall(r"\.\./\S+", text):
        text = text.replace(path, os.path.relpath(built.parent / path, copy))
    template.write_text(text)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))

    assert archive(copy, NAME) == packed


def test_everything_that_the_template_refers_to_is_in_the_archive(released: Path) -> None:
    paths = local_paths(yaml.safe_load(released.read_text()))

    assert {"CheckClusterFunction", "DependenciesLayer", "statemachines/rescan.asl.yaml"} <= paths
    assert {"LICENSE", "README.md"} <= paths
    assert [path for path in paths if ".." in path or not (released.parent / path).exists()] == []


def test_archive_names_neither_the_machine_nor_the_user_that_made_it(packed: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = tar.getmembers()

    assert {(each.uid, each.gid, each.uname, each.gname) for each in members} == {(0, 0, "", "")}
    assert {each.mode for each in members} <= {0o644, 0o755}
    assert len({each.mtime for each in members}) == 1
    assert all(each.name.startswith(f"{NAME}/") and each.isfile() for each in members)


def test_sam_finds_the_settings_of_a_deployment_beside_the_template(released: Path) -> None:
    assert (released.parent / "samconfig.toml").read_text() == (ROOT / "samconfig.toml").read_text()

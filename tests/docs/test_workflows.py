"""What GitHub, git and Dependabot run or watch exists, and is pinned."""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT, Block
from tests.docs.programs import problems

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
PINNED = re.compile(r"([\w-]+/[\w-]+)(?:/[\w-]+)*@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)")
USES = re.compile(r"^ *(?:- )?uses: (.+)$", re.MULTILINE)

workflows = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.stem)


def read(path: str) -> Any:  # noqa: ANN401 - a YAML file may hold anything
    return yaml.safe_load((ROOT / path).read_text())


def unpinned(workflow: str) -> list[str]:
    """Name the actions whose code could change without a commit here."""
    return [
        used
        for used in USES.findall(workflow)
        if not used.startswith("./") and not PINNED.fullmatch(used)
    ]


def scripts(job: Mapping[str, Any]) -> Iterator[str]:
    """Give what the steps of a job run, for each combination of its matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    for values in product(*matrix.values()):
        for step in job.get("steps", ()):
            script = step.get("run", "")
            for name, value in zip(matrix, values, strict=True):
                script = script.replace(f"${{{{ matrix.{name} }}}}", value)
            yield script


def unknown_commands(workflow: str) -> list[str]:
    """Say what is wrong with the commands that run something of this repository."""
    jobs = yaml.safe_load(workflow)["jobs"]
    blocks = [Block("", 0, "bash", script) for job in jobs.values() for script in scripts(job)]
    commands = [command for block in blocks for command in block.commands()]
    wrong = [block.text for block in blocks if not block.is_sound()]
    wrong += [why for each in commands if each.words[0] == "make" for why in problems(each)]
    return wrong + [
        f"there is no {program}"
        for program in {each.words[0] for each in commands}
        if "/" in program and not (ROOT / program).is_file()
    ]


@pytest.mark.parametrize(
    "file", [*WORKFLOWS, *ACTIONS], ids=lambda file: str(file.relative_to(ROOT))
)
def test_every_action_is_pinned_by_the_digest_of_a_named_version(file: Path) -> None:
    assert unpinned(file.read_text()) == []


def test_action_has_the_same_digest_and_version_everywhere() -> None:
    text = "".join(workflow.read_text() for workflow in [*WORKFLOWS, *ACTIONS])
    pins = set(PINNED.findall(text))

    assert pins
    assert len(pins) == len({action for action, _, _ in pins}), pins


@workflows
def test_every_target_and_program_of_a_workflow_exists(workflow: Path) -> None:
    assert unknown_commands(workflow.read_text()) == []


def test_quick_ci_jobs_cover_the_prerequisites_of_make_check() -> None:
    prerequisites = re.search(r"^check: ([\w ]+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    quick = read(".github/workflows/ci.yml")["jobs"]["quick"]["strategy"]["matrix"]["target"]

    assert prerequisites
    assert quick == [*prerequisites[1].split(), "unit"]


def test_long_ci_job_runs_make_check_with_all_tests() -> None:
    makefile = (ROOT / "Makefile").read_text()
    check = makefile.partition("\ncheck:")[2].partition("\n.PHONY")[0]

    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make check"
    assert "$(MAKE) --no-print-directory test " in check
    assert re.search(r"^make test ", (ROOT / "README.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "uses: actions/checkout@v7",
        "- uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "uses: actions/checkout@3d3c42e # v7.0.1",
        "uses: docker://alpine:3",
    ],
)
def test_unpinned_action_is_found(line: str) -> None:
    assert unpinned(f"steps:\n  {line}\n") == [line.partition("uses: ")[2]]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("make everything", "the Makefile has no target everything"),
        ("make ${{ matrix.target }}", "the Makefile has no target nothing"),
        (".ci/walk", "there is no .ci/walk"),
        (".venv/dev/bin/nobody --offline", "there is no .venv/dev/bin/nobody"),
        ("make 'test", "make 'test"),
    ],
)
def test_missing_command_is_found(script: str, why: str) -> None:
    job = {"strategy": {"matrix": {"target": ["nothing"]}}, "steps": [{"run": script}]}

    assert why in unknown_commands(yaml.safe_dump({"jobs": {"one": job}}))


def test_every_path_in_codeowners_exists() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    owned = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))

    assert owned.pop("*")
    assert [path for path in owned if not (ROOT / path.lstrip("/")).exists()] == []
    assert [path for path in owned if path.endswith("/") != (ROOT / path[1:]).is_dir()] == []
    assert all(re.fullmatch(r"(@[\w-]+/[\w-]+ ?)+", owners) for owners in owned.values())


def test_pre_commit_hooks_run_installed_programs_or_pinned_code() -> None:
    local, *others = read(".pre-commit-config.yaml")["repos"]

    assert local["repo"] == "local"
    for hook in local["hooks"]:
        programs = re.findall(r"\.venv/\S+", hook["entry"])
        assert programs, hook["id"]
        assert [program for program in programs if not (ROOT / program).is_file()] == []
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    frozen = re.findall(r"rev: [0-9a-f]{40} # frozen: v\d+\.\d+\.\d+$", text, re.MULTILINE)
    assert len(frozen) == len(others)


def test_cfn_lint_hook_covers_the_templates_of_make_template() -> None:
    [local, *_] = read(".pre-commit-config.yaml")["repos"]
    [pattern] = [hook["files"] for hook in local["hooks"] if hook["id"] == "cfn-lint"]
    linted = re.search(r"bin/cfn-lint (.+)", (ROOT / "Makefile").read_text())

    assert linted
    assert [path for path in linted[1].split() if not re.search(pattern, path)] == []


def test_dependabot_watches_existing_folders() -> None:
    updates = read(".github/dependabot.yml")["updates"]

    assert {update["package-ecosystem"] for update in updates} == {
        "github-actions",
        "pre-commit",
        "uv",
    }
    watched = [
        folder
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    ]
    assert [folder for folder in watched if not (ROOT / folder.lstrip("/")).is_dir()] == []
    assert {f"/{action.parent.relative_to(ROOT)}" for action in ACTIONS} <= {*watched}


def test_site_is_built_strictly_by_make_and_ci() -> None:
    """MkDocs then fails on a link, an anchor or an entry of the navigation that leads nowhere."""
    recipe = (ROOT / "Makefile").read_text().partition("\nsite:")[2].partition("\n.PHONY")[0]

    assert "mkdocs --quiet build --strict" in recipe
    assert (
        "site" in read(".github/workflows/ci.yml")["jobs"]["quick"]["strategy"]["matrix"]["target"]
    )

"""Programs, commands, options and files that the documentation names exist.

Nothing is run. `aws` is asked through botocore's models, the others through their own definitions.
"""

import json
import re
import subprocess
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from emr_log_guard.policy_document import parse_policy
from tests.docs.pages import PAGES, ROOT, Command, blocks, blocks_of, commands_of
from tests.docs.programs import problems

WRITTEN = date(2026, 11, 1)
"""A day on which the exemptions of the examples are not too long."""

THEIRS = {"key.bin", "material.bin", "token.bin", "webhook.txt"}
"""Files that readers bring along."""

OUTPUT_OPTIONS = {"--output", "--output-template-file", "-o"}

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pages
def test_shell_block_is_marked_as_such_and_can_be_parsed(page: Path) -> None:
    shell = [block for block in blocks(page) if block.looks_like_shell and not block.inline]

    assert [block.where for block in shell if not block.is_shell] == []
    assert [block.where for block in shell if not block.is_sound()] == []


@pages
def test_every_command_in_the_docs_is_valid(page: Path) -> None:
    wrong = [f"{command}: {why}" for command in commands_of(page) for why in problems(command)]

    assert wrong == []


@pages
def test_every_file_is_in_the_repository_or_created_on_the_page(page: Path) -> None:
    made = {file for block in blocks(page) if block.is_shell for file in block.files_written()}
    made |= {file for command in commands_of(page) for file in files_made_by(command)}

    assert [
        f"{command}: {file}"
        for command in commands_of(page)
        if command.whole
        for file in files_of(command)
        if file not in made | THEIRS and not (ROOT / file).exists()
    ] == []


@pages
def test_json_blocks_and_policies_are_valid(page: Path) -> None:
    for block in blocks(page):
        if block.language == "json":
            document = json.loads(block.text)
            if {"mode", "approved_keys", "exemptions"} & set(document):
                parse_policy(block.text, WRITTEN)


def test_every_sam_command_and_option_exists() -> None:
    used = [each for page in PAGES for each in commands_of(page) if is_sam(each)]
    answer = subprocess.run(
        [ROOT / ".venv/sam/bin/python", ROOT / "tests/docs/sam_options.py", *map(sam_path, used)],
        capture_output=True,
        check=True,
    )
    known = json.loads(answer.stdout)

    assert used
    assert [
        str(command)
        for command in used
        if known[sam_path(command)] is None
        or not {word for word in command.words if word.startswith("-")}
        <= {*known[sam_path(command)], "--help", "--version"}
    ] == []


def files_of(command: Command) -> list[str]:
    """Name the files that a command reads, as far as its words tell."""
    words = [word.partition("=")[2] or word for word in command.words[1:]]
    named = [word.removeprefix("file://") for word in words if word.startswith("file://")]
    named += [word.removeprefix("fileb://") for word in words if word.startswith("fileb://")]
    made = files_made_by(command)
    return named + [
        word
        for word in words
        if re.fullmatch(r"[\w./-]+\.(json|ya?ml|py|toml|txt|bin)", word) and word not in made
    ]


def files_made_by(command: Command) -> set[str]:
    """Name the files that a command writes."""
    return {file for option, file in pairwise(command.words) if option in OUTPUT_OPTIONS}


def is_sam(command: Command) -> bool:
    """Whether it is the SAM CLI's."""
    return command.words[0].rpartition("/")[2] == "sam"


def sam_path(command: Command) -> str:
    """Name the command: `local invoke` of `sam local invoke CheckClusterFunction`."""
    path = []
    for word in command.words[1:]:
        if word.startswith("-") or not word.islower():
            break
        path.append(word)
    return " ".join(path)


WRONG = [
    ("emr-log-guard polish show", "there is no command 'polish'"),
    ("emr-log-guard policy show --stak x", "No such option"),
    ("emr-log-guard exempt --rule EMRLOG-002", "Missing"),
    ("emr-log-guard --verison", "there is no option --verison"),
    ("emr-log-guard audit --all-region", "No such option"),
    ("emr-log-guard audit --format xml", "is not one of"),
    ("make everything", "the Makefile has no target everything"),
    ("make test PYTEST_ARG=x", "the Makefile has no variable PYTEST_ARG"),
    ("python -m sandbox up --detached", "No such option"),
    ("python -m sandbx", "runs no module"),
    (".venv/prod/bin/sam build", "no environment is made in .venv/prod"),
    ("aws emrs list-clusters", "there is no aws emrs list-clusters"),
    ("aws emr end-clusters --cluster-ids j-1", "there is no aws emr end-clusters"),
    ("aws emr terminate-clusters --cluster-id j-1", "has no option --cluster-id"),
    ("aws emr terminate-clusters --region R", "--cluster-ids is missing"),
    ("aws emr wait cluster-gone --cluster-id j-1", "there is no aws emr wait cluster-gone"),
    ("aws emr wait cluster-terminated --region R", "--cluster-id is missing"),
    ("aws kms describe-key --key k", "has no option --key"),
    ("aws kms describe-key --region R", "--key-id is missing"),
    ("aws kms describe-key --key-id k --query 'A.['", "--query A.["),
    ("aws kms list-keys --query 'Keys[?KeyId==`a`]'", "deprecated"),
    ("aws events put-events --entries '[{\"Source\": ]'", "is no JSON"),
    ("x=$(aws kms describe-ky --key-id k) ; true", "there is no aws kms describe-ky"),
    ("echo {} | awk 1", "awk is no program that is known here"),
]


@pytest.mark.parametrize(("line", "why"), WRONG)
def test_wrong_command_is_found(line: str, why: str) -> None:
    (block,) = blocks_of(f"```console\n{line}\n```\n", "page.md")

    found = [problem for command in block.commands() for problem in problems(command)]

    assert any(why in problem for problem in found), found


RIGHT = [
    "emr-log-guard exempt --name 'legacy-*' --rule EMRLOG-006 --until 2026-12-31 --reason x",
    "emr-log-guard audit --region eu-west-1 --objects --format sarif > x",
    "emr-log-guard policy validate --help",
    "emr-log-guard --version",
    "make test PYTEST_ARGS='-k name'  # some",
    "aws emr describe-cluster --cluster-id j-1 --query Cluster.Status.State --output text",
    "aws emr wait cluster-terminated --cluster-id j-1",
    "aws iam list-roles --max-items 5",
    "aws kms get-key-policy \\\n  --key-id k | jq -s 'add + {a: {}}' > f.json",
    'eval "$(.venv/dev/bin/python -m sandbox up --detach \\\n  --parameter Mode=enforce)"',
]


@pytest.mark.parametrize("line", RIGHT)
def test_right_command_is_accepted(line: str) -> None:
    (block,) = blocks_of(f"```console\n{line}\n```\n", "page.md")

    assert block.is_sound()
    assert [problem for command in block.commands() for problem in problems(command)] == []


def test_command_mentioned_inline_may_omit_required_options_only() -> None:
    spoken = (
        "Use `emr-log-guard exempt --reason`, `emr-log-guard audit --format FORMAT` or "
        "`aws kms describe-key`, not `make nothing`."
    )
    commands = [command for block in blocks_of(spoken, "page.md") for command in block.commands()]

    assert [why for command in commands for why in problems(command)] == [
        "the Makefile has no target nothing"
    ]


def test_unmarked_shell_block_and_open_quote_are_found() -> None:
    hidden, open_quote = blocks_of("```\naws s3 ls\n```\n\n```sh\necho 'x\n```\n", "page.md")

    assert hidden.looks_like_shell
    assert not hidden.is_shell
    assert not open_quote.is_sound()


def test_files_are_distinguished_from_other_words() -> None:
    command = Command(
        "page.md",
        1,
        ("aws", "--body", "file://a.json", "-e", "events/x.json", "--output", "b.json", "s3://x/c"),
        whole=True,
    )

    assert files_of(command) == ["a.json", "events/x.json"]

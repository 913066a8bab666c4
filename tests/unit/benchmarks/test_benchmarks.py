"""The benchmarks' own parts: what they measure with has to be right, and a broken one is found."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks import __main__ as command
from benchmarks import audits
from benchmarks.audits import Side, demand, in_turn
from benchmarks.contestants import Found, WrongResultError
from benchmarks.measuring import Run, Runs, measured
from benchmarks.page import Section, page
from benchmarks.static_s3 import bucket_server

SECTION = Section("Clusters", "What it is.", ["case", "time"], [["200", "1.0 s"]])
KEYS = [f"clusters/j-{number % 2}/{number:05}.gz" for number in range(2500)]


def found(bad: int = 3, unread: int = 0, seconds: float = 1.0) -> Found:
    return Found(
        Run(seconds, seconds, 50.0, 0, "", ""),
        bad,
        {"s3:HeadObject": 2, "s3:ListBucket": 1},
        unread,
    )


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Any]:
    """A client of the plain server."""
    heads = {key: {"x-amz-server-side-encryption": "aws:kms"} for key in reversed(KEYS)}
    with bucket_server(tmp_path, "logs", heads) as url:
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        make: Any = boto3.client
        yield make("s3", endpoint_url=url, config=config)


def test_plain_server_lists_objects_like_s3(s3: Any) -> None:  # noqa: ANN401
    pages = s3.get_paginator("list_objects_v2")

    def keys(**asked: str) -> list[str]:
        found = pages.paginate(Bucket="logs", **asked)
        return [each["Key"] for page in found for each in page.get("Contents", ())]

    assert keys() == sorted(KEYS)
    assert keys(Prefix="clusters/j-1/") == sorted(KEYS)[1250:]
    assert keys(StartAfter="clusters/j-1/02495.gz") == KEYS[2497::2]
    assert keys(Prefix="steps/") == []


def test_plain_server_answers_head_object(s3: Any) -> None:  # noqa: ANN401
    assert s3.head_object(Bucket="logs", Key=KEYS[7])["ServerSideEncryption"] == "aws:kms"
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="logs", Key="none")


def test_run_is_measured_with_output_status_and_resources(tmp_path: Path) -> None:
    program = "import os, sys; print(os.getcwd(), os.environ['A']); sys.exit('no good')"

    run = measured([sys.executable, "-c", program], {"A": "b"}, tmp_path)

    assert (run.stdout, run.stderr, run.status) == (f"{tmp_path} b\n", "no good\n", 1)
    assert run.seconds > 0
    assert run.processor > 0
    assert run.megabytes > 1


def test_memory_of_a_run_excludes_the_parent_process(tmp_path: Path) -> None:
    held = bytearray(b"x" * 300_000_000)

    run = measured([sys.executable, "-c", "pass"], {}, tmp_path)

    assert run.megabytes < 100 < len(held) / 1e6


def test_contestants_run_in_turn_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def contestant(name: str, seconds: Iterator[float]) -> Any:  # noqa: ANN401
        def run() -> Found:
            order.append(name)
            return found(seconds=next(seconds))

        return run

    ours, theirs = in_turn(
        3, contestant("ours", iter([90, 1, 5, 2])), contestant("theirs", iter([90, 4, 4, 6]))
    )

    assert order == ["ours", "theirs"] * 4
    assert (ours.runs.seconds, theirs.runs.seconds) == (2, 4)
    assert ours.cells() == ["2.00 s (1.00 to 5.00)", "50 MB", "3", "3"]
    assert Runs([found(seconds=2).run]).spread == "2.0 s"


def test_run_with_a_wrong_or_incomplete_result_raises() -> None:
    demand(Side([found(), found()]), 3)
    for wrong in (found(bad=2), found(unread=1)):
        with pytest.raises(WrongResultError):
            demand(Side([found(), wrong]), 3)


def test_page_contains_the_machine_and_the_command() -> None:
    text = page([SECTION])

    assert text.startswith("# Benchmarks\n\nHow fast ")
    assert "\n\nMeasured with `make bench` on " in text
    assert f"\n{os.cpu_count()} processors, " in text
    assert text.endswith(
        "## Clusters\n\nWhat it is.\n\n| case | time |\n| --- | --- |\n| 200 | 1.0 s |\n"
    )


def test_single_benchmark_is_printed_and_the_page_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(audits, "quotas", lambda: SECTION)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "quotas"])

    command.main()

    assert capsys.readouterr().out == f"{SECTION}\n\n"
    assert not command.PAGE.exists()

    monkeypatch.setattr(sys, "argv", ["benchmarks", "everything"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no such benchmark: everything; choose from clusters, " in capsys.readouterr().err

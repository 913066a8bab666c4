import os
import subprocess
import sys
from pathlib import Path

import pytest

from emr_log_guard.cli.__main__ import main

PACKAGE = Path(__file__).resolve().parents[3] / "layers" / "emr_log_guard"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "--help"], "usage: emr-log-guard audit"),
        (["--help"], "Usage: emr-log-guard"),
        (["policy", "--help"], "Usage: emr-log-guard policy"),
    ],
)
def test_each_command_is_found(
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["emr-log-guard", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert words in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ran = subprocess.run(
        [sys.executable, "-m", "emr_log_guard.cli", "audit", "--print-iam-policy"],
        env={"PYTHONPATH": str(PACKAGE)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_an_audit_imports_nothing_that_it_does_not_use() -> None:
    """Each of these takes longer to import than a small account takes to read."""
    code = (
        "import sys; sys.argv = ['emr-log-guard', 'audit', '--print-iam-policy']\n"
        "from emr_log_guard.cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print({'typer', 'rich', 'boto3', 'jinja2', 'msgspec', 'aws_lambda_powertools'}"
        " & sys.modules.keys(), file=sys.stderr)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stderr == "set()\n"

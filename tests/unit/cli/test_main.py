import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from emr_log_guard.cli import audit
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


@pytest.mark.parametrize(
    ("redirection", "reason"), [("> /dev/full", os.strerror(28)), (">&-", os.strerror(9))]
)
def test_what_cannot_be_written_is_no_verdict(redirection: str, reason: str) -> None:
    command = f'exec "$0" -m emr_log_guard.cli audit --print-iam-policy {redirection}'
    ran = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable],
        env={"PYTHONPATH": str(PACKAGE)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert ran.returncode == 2
    assert ran.stderr == f"Error: standard output cannot be written: {reason}\n"


def test_ctrl_c_before_anything_was_read_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "audit", interrupted)
    monkeypatch.setattr(sys, "argv", ["emr-log-guard", "audit"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130


def test_ctrl_c_is_not_held_up_by_a_call_that_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen(
            [sys.executable, "-m", "emr_log_guard.cli", "audit", "--rule", "EMRLOG-002"],
            env={
                "PYTHONPATH": str(PACKAGE),
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": "eu-west-1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            silent, _ = server.accept()
            try:
                silent.recv(1)
                running.send_signal(signal.SIGINT)
                # A call is given up after five times twenty seconds.
                stdout, stderr = running.communicate(timeout=60)
            finally:
                running.kill()
                silent.close()

    assert running.returncode == 3
    assert "the audit was interrupted" in stdout
    assert stderr == ""


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

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_group
from typer.testing import CliRunner

from emr_log_guard.adapters.sessions import AuditSession
from emr_log_guard.cli.__main__ import main
from emr_log_guard.cli.app import app
from emr_log_guard.rendering.version import version

PACKAGE = Path(__file__).resolve().parents[3] / "layers" / "emr_log_guard"


type Run = Callable[..., tuple[int | str | None, str, str]]
"""Runs the command with arguments: its exit status, and what it prints on both streams."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["emr-log-guard", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "--help"], "Usage: emr-log-guard audit"),
        (["--help"], "Usage: emr-log-guard"),
        (["policy", "--help"], "Usage: emr-log-guard policy"),
    ],
)
def test_help_of_each_command_is_found(arguments: list[str], words: str, command: Run) -> None:
    status, printed, _ = command(*arguments)

    assert status == 0
    assert words in printed


def test_version_is_printed(command: Run) -> None:
    assert command("--version") == (0, f"emr-log-guard {version()}\n", "")


@pytest.mark.parametrize("arguments", [(), ("policy",)])
def test_missing_command_prints_the_help_and_exits_with_2(
    arguments: tuple[str, ...], command: Run
) -> None:
    status, printed, error = command(*arguments)

    assert (status, printed) == (2, "")
    assert error.startswith("Usage: emr-log-guard ")


def test_unknown_command_prints_a_suggestion_in_one_line(command: Run) -> None:
    status, _, error = command("audti")

    assert status == 2
    assert error == (
        "Error: no such command 'audti'; did you mean 'audit'? See `emr-log-guard --help`\n"
    )


def test_help_has_a_complete_line_for_each_command() -> None:
    printed = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["--help"]).stdout

    lines = printed.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == [*get_group(app).commands]
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_available_for_bash_zsh_and_fish(
    shell: str, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_EMR_LOG_GUARD_COMPLETE", f"source_{shell}")

    status, printed, _ = command()

    assert status == 0
    assert "emr-log-guard" in printed


def sub_commands() -> Iterator[tuple[str, ...]]:
    for name, found in get_group(app).commands.items():
        if isinstance(found, TyperGroup):
            yield from ((name, below) for below in found.commands)
        else:
            yield (name,)


@pytest.mark.parametrize("arguments", list(sub_commands()), ids=" ".join)
def test_help_is_complete_and_fits_a_terminal(arguments: tuple[str, ...]) -> None:
    runner = CliRunner(env={"COLUMNS": "80"})
    short, long = (runner.invoke(app, [*arguments, option]) for option in ("-h", "--help"))

    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert all(len(line) <= 80 for line in short.stdout.splitlines())
    assert "Exit status: 0" in short.stdout
    assert f"Examples:\n    emr-log-guard {' '.join(arguments)}" in short.stdout
    assert not re.search(r"<\w+", short.stdout)  # a value has a name, and not a type of Python


def test_closed_pipe_is_not_an_error() -> None:
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
def test_unwritable_standard_output_exits_with_2(redirection: str, reason: str) -> None:
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


def test_interrupt_while_the_command_is_imported_exits_with_130_silently(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")

    ran = subprocess.run(
        [sys.executable, "-m", "emr_log_guard.cli", "--help"],
        env={"PYTHONPATH": os.pathsep.join((str(tmp_path), str(PACKAGE)))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_interrupt_before_the_first_read_exits_with_130_silently(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> AuditSession:
        raise KeyboardInterrupt

    monkeypatch.setattr(AuditSession, "of_caller", interrupted)
    monkeypatch.setattr(sys, "argv", ["emr-log-guard", "audit"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_interrupt_does_not_wait_for_an_unanswered_call() -> None:
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

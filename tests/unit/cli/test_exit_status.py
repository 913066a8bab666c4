import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ProfileNotFound
from typer.testing import CliRunner

from emr_log_guard.cli.app import app
from emr_log_guard.cli.exit_status import CommandFailedError, error_lines
from emr_log_guard.errors import HandoffFailedError, NotDeployedError

NO_CREDENTIALS = (
    "  Hint: there are no AWS credentials: choose a profile with --profile or AWS_PROFILE, or run "
    "`aws configure` or `aws sso login`"
)
READING = "ssm:GetParameter on /policy"


def denied(message: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetParameter"
    )


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (CommandFailedError(["one", "two"]), ["Error: one", "Error: two"]),
        (NotDeployedError("no stack x in eu-west-1"), ["Error: no stack x in eu-west-1"]),
        (
            caused(
                HandoffFailedError(f"{READING} answered AccessDeniedException"),
                denied("User: arn:aws:iam::1:user/a is not\nauthorized\x1b[2J"),
            ),
            [
                f"Error: {READING} answered AccessDeniedException",
                r"  AWS says: User: arn:aws:iam::1:user/a is not authorized\x1b[2J",
                f"  Hint: allow this caller {READING}, or act as another one with --profile",
            ],
        ),
        (
            denied("no"),
            [
                "Error: GetParameter answered AccessDeniedException",
                "  AWS says: no",
                "  Hint: allow this caller GetParameter, or act as another one with --profile",
            ],
        ),
        (
            caused(
                HandoffFailedError(f"{READING} failed with NoCredentialsError"),
                NoCredentialsError(),
            ),
            [
                f"Error: {READING} failed with NoCredentialsError",
                "  Reason: Unable to locate credentials",
                NO_CREDENTIALS,
            ],
        ),
        (
            ProfileNotFound(profile="nobody"),
            [
                "Error: The config profile (nobody) could not be found",
                "  Hint: list the profiles with `aws configure list-profiles`",
            ],
        ),
    ],
)
def test_error_lines_contain_failure_message_of_aws_and_hint(
    error: Exception, lines: list[str]
) -> None:
    assert list(error_lines(error)) == lines


ACTING = [
    ["explain", "j-2AXXXXXXGAPLF"],
    ["rescan"],
    ["replay", "--dead-letters"],
    ["policy", "show"],
    ["exempt", "--rule", "*", "--until", "2999-12-31", "--reason", "x", "--name", "x"],
]


@pytest.mark.parametrize("arguments", [*ACTING, ["audit"]], ids=" ".join)
def test_unknown_profile_exits_with_2_in_every_command(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--profile", "nobody"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: The config profile (nobody) could not be found\n")


@pytest.mark.parametrize("arguments", ACTING, ids=" ".join)
def test_missing_credentials_exit_with_2_and_a_hint_in_every_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")

    result = CliRunner().invoke(app, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert NO_CREDENTIALS in result.stderr.splitlines()


@pytest.mark.parametrize("arguments", [*ACTING, ["audit"]], ids=" ".join)
def test_missing_region_exits_with_2_and_a_hint_in_every_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    result = CliRunner().invoke(app, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: no Region: give --region, or set AWS_REGION")

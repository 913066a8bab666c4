"""An alert as a Slack message in plain text."""

from emr_log_guard.rendering.escape import plain, slack

_LIMIT = 12_000
"""Characters that Slack certainly takes in one message; what is left out is counted."""


def slack_text(subject: str, text: str) -> str:
    """Write an alert's subject and text so that Slack shows them and acts on nothing in them."""
    message = f"{plain(subject)}\n{plain(text, keep='\n')}"
    if len(message) > _LIMIT:
        left_out = len(message) - _LIMIT
        message = f"{message[:_LIMIT]}\n… {left_out} more characters: see the alert's e-mail"
    return slack(message)

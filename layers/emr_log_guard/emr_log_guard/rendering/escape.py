"""Escaping user-controlled text."""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that move the cursor, reorder or hide text."""


def plain(text: str, *, keep: str = "") -> str:
    """Show control, format and line-breaking characters as escapes, but those to keep."""
    if text.isprintable():  # none of them is
        return text
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in _HIDDEN
        else character.encode("unicode_escape").decode()
        for character in text
    )


def slack(text: str) -> str:
    """Escape Slack's three control characters, so that no name mentions a channel or makes a link.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code_span(text: str) -> str:
    """Write text as code in a line, for a chat whose markup may be Slack's or Teams'."""
    shown = within_code(text).strip()
    return f"`{shown}`" if shown else "(blank)"


def within_code(text: str) -> str:
    """Escape text so that it cannot leave its code span or mention anyone.

    Where one chat needs an escape that another would show, a look-alike character is used.
    """
    return plain(text).translate(_LOOK_ALIKES)


_LOOK_ALIKES = str.maketrans({"`": "'", "<": "\u2039", ">": "\u203a", "&": "\uff06"})


def ascii_line(text: str, limit: int) -> str:
    """Reduce text to one line of printable ASCII, cut to a length with an ellipsis."""
    line = plain(text).encode("ascii", "replace").decode()
    return line if len(line) <= limit else f"{line[: limit - 3]}..."

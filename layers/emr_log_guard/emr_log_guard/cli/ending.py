"""How a command ends when it cannot do what it was asked."""

import sys
from typing import NoReturn

INTERRUPTED = 130
"""What a shell takes for the end by Ctrl-C: 128 and the signal's number."""


def fail(*problems: str) -> NoReturn:
    """Say what is wrong, one thing a line, and end with status 2."""
    for problem in problems:
        sys.stderr.write(f"Error: {problem}\n")
    sys.exit(2)

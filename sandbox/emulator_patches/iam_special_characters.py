"""`${*}`, `${?}` and `${$}` in a policy match the characters themselves. Upstream: yes.

MiniStack treats `${` and `}` as text, and the character between them as a wildcard.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Callable
from functools import cache

from sandbox.emulator_patches.hooks import wrap

type Compile = Callable[[str, bool], re.Pattern[str]]

_ESCAPED = re.compile(r"\$\{([*?$])\}")


def literal(original: Compile) -> Compile:
    """Compile a pattern piece by piece: every second piece is matched literally."""

    @cache
    def compile_pattern(pattern: str, ignore_case: bool) -> re.Pattern[str]:  # noqa: FBT001
        if not _ESCAPED.search(pattern):
            return original(pattern, ignore_case)
        pieces = [
            re.escape(piece) if at % 2 else original(piece, ignore_case).pattern[1:-1]
            for at, piece in enumerate(_ESCAPED.split(pattern))
        ]
        return re.compile(f"^{''.join(pieces)}$", re.IGNORECASE if ignore_case else re.NOFLAG)

    return compile_pattern


def install() -> None:
    """Patch how actions and resources are compared."""
    wrap("core.iam_evaluator", "_fnmatch_compile", literal)

"""Play the demo: `python -m sandbox.demo`. Exit with 0 if every outcome is the expected one."""

import argparse
import sys

from rich.console import Console

from sandbox import SandboxError
from sandbox.demo.play import COLUMNS, play


def main() -> int:
    """Play the demo; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.demo",
        description="Deploy the guard to an emulated AWS account, and show what it detects.",
    )
    parser.add_argument("--verbose", action="store_true", help="print every alert in full")
    verbose = parser.parse_args().verbose
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = COLUMNS
    try:
        return 0 if play(console, verbose=verbose) else 1
    except (SandboxError, TimeoutError) as error:
        console.print(f"[red]The demo failed:[/] {error}", soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""Play the demo: `python -m sandbox.demo`. Exit with 0 if every outcome is the expected one."""

import sys

from rich.console import Console

from sandbox import SandboxError
from sandbox.demo.play import play

if __name__ == "__main__":
    console = Console(highlight=False)
    try:
        sys.exit(0 if play(console) else 1)
    except (SandboxError, TimeoutError) as error:
        console.print(f"[red]The demo failed:[/] {error}", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)

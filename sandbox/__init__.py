"""An emulated AWS account on this machine: MiniStack in its own process, patched where it differs.

For development only; nothing here is deployed.
"""

from sandbox.errors import SandboxError
from sandbox.running import EmrPace, Sandbox

__all__ = ["EmrPace", "Sandbox", "SandboxError"]

"""An AWS account on this machine: MiniStack in a process of its own, corrected where it differs.

For development only; nothing here is deployed.
"""

from sandbox.errors import SandboxError
from sandbox.running import EmrPace, Sandbox

__all__ = ["EmrPace", "Sandbox", "SandboxError"]

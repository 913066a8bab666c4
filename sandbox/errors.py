"""Errors of the sandbox, shown to the developer who started it."""


class SandboxError(Exception):
    """The sandbox could not do what was requested; the message gives the reason and the fix."""

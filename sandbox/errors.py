"""What can go wrong with the sandbox, told to the person who started it."""


class SandboxError(Exception):
    """The sandbox could not do what was asked; the message says why and what to do."""

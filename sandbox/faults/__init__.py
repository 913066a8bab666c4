"""AWS faults that a sandbox injects on request: errors, delays, repeated deliveries and crashes.

They affect only calls of the account's functions, never calls of its root user.
"""

from sandbox.faults.fault import Crash, Fault

__all__ = ["Crash", "Fault"]

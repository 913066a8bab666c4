"""Faults of AWS that a sandbox injects on request: errors, delays, repeats and crashes.

Only what the account's functions ask is affected; the account's root user is always answered.
"""

from sandbox.faults.fault import Crash, Fault

__all__ = ["Crash", "Fault"]

"""How many random histories and inputs the properties are held against.

A few in `make test`; as many as the variable HISTORIES says in `make prove`.
"""

from os import environ

from hypothesis import HealthCheck, Phase, settings

MANY = int(environ.get("HISTORIES", "0"))
"""How many each property is held against when it is to be proved; 0 where it is only tested."""
FEW = 50
"""How many each property is held against where it is only tested, and does not say itself."""
STEPS = 40
"""How many steps a history has at most when a property is to be proved."""


def load_profile() -> None:
    """Say how the properties are run that do not say it themselves."""
    # A machine that is busy with something else is no failure. The examples are the same at each
    # run, so that a test fails for what was changed: `make prove` looks for new ones.
    any_machine = settings(
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        max_examples=FEW,
        derandomize=True,
    )
    settings.register_profile("any-machine", any_machine)
    settings.register_profile(
        "prove",
        any_machine,
        derandomize=False,
        max_examples=max(MANY, 1),
        database=None,
        phases=[Phase.generate, Phase.shrink],
        print_blob=True,
    )
    settings.load_profile("prove" if MANY else "any-machine")


def histories(few: int, steps: int) -> settings:
    """Say how many histories of how many steps a state machine is taken through."""
    if MANY:
        return settings(max_examples=MANY, stateful_step_count=STEPS)
    return settings(max_examples=few, stateful_step_count=steps)

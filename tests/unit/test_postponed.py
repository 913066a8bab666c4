import subprocess
import sys

from emr_log_guard.bootstrap import postponed

PROGRAM = f"""
import sys
sys.path.insert(0, {postponed.__file__.removesuffix("postponed.py")!r})
from postponed import postpone
postpone("asyncio")
import asyncio
assert "asyncio.tasks" not in sys.modules
"""


def succeeds(program: str) -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM + program], check=True)


def test_a_module_is_imported_when_it_is_asked_for_something() -> None:
    succeeds(
        "async def three(): return 3\n"
        "assert asyncio.run(three()) == 3\n"
        "import asyncio as again\n"
        "assert again.run is asyncio.run and 'asyncio.tasks' in sys.modules"
    )


def test_a_part_of_it_can_be_imported() -> None:
    succeeds("from asyncio import run, tasks; assert run is asyncio.run")
    succeeds("import asyncio.events; assert asyncio.events.new_event_loop")


def test_what_it_lacks_it_lacks() -> None:
    succeeds("assert not hasattr(asyncio, 'none') and asyncio.run")


def test_a_module_that_is_there_already_stays() -> None:
    before = sys.modules["subprocess"]

    postponed.postpone("subprocess")

    assert sys.modules["subprocess"] is before

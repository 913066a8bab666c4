"""What dataclasses generate, compiled by the layer's build instead of at each start.

`@dataclass` writes a class's methods as text and compiles it each time the class is defined, for
no file of bytecode holds it: with a hundred classes it is the largest part of a start. The build
(`layers/emr_log_guard/compile_dataclasses.py`) leaves the compiled texts beside this module, each
by its digest. A text that is not among them is compiled as ever: nothing but time depends on them.
"""

import dataclasses
import marshal
from collections.abc import Mapping
from hashlib import blake2b
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

FILE = Path(__file__).with_suffix(".bin")


def digest(text: str) -> bytes:
    """Name a text."""
    return blake2b(text.encode(), digest_size=16).digest()


def written(codes: Mapping[bytes, CodeType]) -> bytes:
    """Say what a file of compiled texts holds."""
    return MAGIC_NUMBER + marshal.dumps({name: marshal.dumps(codes[name]) for name in codes})


def use(file: Path = FILE) -> None:
    """Have dataclasses run the compiled texts of a file: none if there is no file, as in tests.

    One that another version of Python wrote is left alone.
    """
    content = file.read_bytes() if file.exists() else b""
    if not content.startswith(MAGIC_NUMBER):
        return
    # It comes from the layer, as all bytecode does.
    compiled: dict[bytes, bytes] = marshal.loads(content.removeprefix(MAGIC_NUMBER))  # noqa: S302 - see above

    def run(text: str, *namespaces: dict[str, object]) -> None:
        code = compiled.get(digest(text))
        # As dataclasses does with the text.
        exec(text if code is None else marshal.loads(code), *namespaces)  # noqa: S102, S302 - see above

    # Before Python's own `exec`, a module's functions find the module's.
    vars(dataclasses)["exec"] = run

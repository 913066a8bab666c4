"""Compiles what dataclasses generate into the layer: `compile_dataclasses.py FOLDER`.

Run with `python -I -S -B`: without site-packages, for whoever builds the layer may not have them.
The dataclasses of modules that need some, which `domain` and `rules` do not, are compiled at each
start.
"""

import dataclasses
import sys
from importlib import import_module
from pkgutil import walk_packages
from types import CodeType

sys.path.insert(0, sys.argv[1])

import emr_log_guard
from emr_log_guard.bootstrap.generated_methods import FILE, digest, written

codes: dict[bytes, CodeType] = {}


def remember(text: str, *namespaces: dict[str, object]) -> None:
    """Compile a text, keep that, and run it."""
    code = compile(text, "<string>", "exec")
    codes[digest(text)] = code
    exec(code, *namespaces)  # noqa: S102 - as dataclasses does


vars(dataclasses)["exec"] = remember
for module in walk_packages(emr_log_guard.__path__, "emr_log_guard."):
    if module.name.endswith(".__main__"):
        continue
    try:
        import_module(module.name)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("emr_log_guard"):
            raise
FILE.write_bytes(written(codes))

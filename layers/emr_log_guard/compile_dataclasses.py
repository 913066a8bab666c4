"""Compiles what dataclasses generate into the layer, which is the PYTHONPATH.

Run with `python -P -S -B`: without site-packages, for whoever builds the layer may not have what
the modules import. Something that takes any use stands in for it; what a dataclass generates
depends on its fields' names, and not on what they are.
"""

import dataclasses
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pkgutil import walk_packages
from types import CodeType, ModuleType

import emr_log_guard
from emr_log_guard.bootstrap.generated_methods import FILE, digest, written


class _Anything(type):
    """Gives itself for whatever is asked of it."""

    def __getattr__(cls, name: str) -> "type[StandIn]":
        """Give an attribute; of the double underscores there are only Python's own."""
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn

    def __call__(cls, *_: object, **__: object) -> "type[StandIn]":
        """Be called, as a function or a decorator with arguments."""
        return StandIn

    def __getitem__(cls, _: object) -> "type[StandIn]":
        """Be given types."""
        return StandIn


class StandIn(metaclass=_Anything):
    """A class to inherit from, a function to call, a module to import from."""

    def __init_subclass__(cls, **_: object) -> None:
        """Take a subclass's own settings."""


class _StandIns(MetaPathFinder, Loader):
    """Finds whatever nobody else does."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        own = fullname.partition(".")[0] in {"emr_log_guard", *sys.stdlib_module_names}
        return None if own else ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__getattr__"] = lambda name: getattr(StandIn, name)


codes: dict[bytes, CodeType] = {}


def remember(text: str, *namespaces: dict[str, object]) -> None:
    """Compile a text, keep that, and run it."""
    code = compile(text, "<string>", "exec")
    codes[digest(text)] = code
    exec(code, *namespaces)  # noqa: S102 - as dataclasses does


sys.meta_path.append(_StandIns())
vars(dataclasses)["exec"] = remember
for package in walk_packages(emr_log_guard.__path__, "emr_log_guard."):
    if "cli" not in package.name.split("."):  # no function loads the command
        import_module(package.name)
FILE.write_bytes(written(codes))

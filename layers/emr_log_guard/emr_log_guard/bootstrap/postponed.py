"""Modules that others import, and of which hardly anybody asks for anything."""

import sys
from importlib import import_module
from types import ModuleType


class Postponed(ModuleType):
    """Stands for a module until it is asked for something, and imports it then.

    Python's own LazyLoader imports it at once, for `import` asks the module for its `__spec__`.
    https://docs.python.org/3.13/library/importlib.html#implementing-lazy-imports
    """

    def __getattr__(self, name: str) -> object:
        """Give what the module gives."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = import_module(self.__name__)
        vars(self).update(vars(module))
        return getattr(module, name)


def postpone(name: str) -> None:
    """Import a module when it is first asked for something."""
    sys.modules.setdefault(name, Postponed(name))

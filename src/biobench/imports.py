"""Importing a user's own modules, which register backbones, tasks, probes and metrics.

import_modules(["lab.py", "my_package.backbones"], ["."])     # before anything is asked by name
get_current()                                                 # "lab.py" while that is imported
"""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from biobench.errors import BadInput

__all__ = ["get_current", "import_modules"]

_importing: list[str] = []


def get_current() -> str:
    """The module or file, as it was asked for, that is being imported just now; "" for none."""
    return _importing[0] if _importing else ""


def import_modules(names: Iterable[str], search: Iterable[str] = (".",)) -> None:
    """Import modules that register something; raises BadInput naming one that fails.

    names: modules, or files that end in `.py`; both are looked for in the folders of `search`.
    """
    names, search = list(names), [os.path.abspath(folder) for folder in search]
    if names:
        sys.path.extend(folder for folder in search if folder not in sys.path)
    for name in names:
        try:
            with _as_current(name):
                if name.endswith(".py"):
                    _import_file(name, search)
                else:
                    importlib.import_module(name)
        except BadInput:
            raise
        except Exception as err:
            raise BadInput(
                f"imports: the module '{name}' cannot be imported ({type(err).__name__}: {err}); "
                "put it beside the config file, or install it."
            ) from err


@contextlib.contextmanager
def _as_current(name: str) -> Iterator[None]:
    _importing.append(name)
    try:
        yield
    finally:
        _importing.pop()


def _import_file(name: str, search: Iterable[str]) -> None:
    places = [Path(folder, os.path.expanduser(name)) for folder in search]
    path = next((place.resolve() for place in places if place.is_file()), None)
    if path is None:
        raise BadInput(
            f"imports: there is no file {name} (looked in {', '.join(map(str, search))}); correct "
            "the path."
        )
    known = sys.modules.get(path.stem)
    if known is not None:
        if getattr(known, "__file__", None) == str(path):
            return
        raise BadInput(
            f"imports: {name} would be the module '{path.stem}', which is another one already; "
            "rename the file."
        )
    # Modules beside the file are found as Python finds those beside a script.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Before it runs, as an import does: the classes in it are found by their module's name.
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise

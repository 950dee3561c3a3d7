"""Numba as the exact solutions use it."""

import re
import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

try:
    import numba
    from numba.core.caching import FunctionCache, IndexDataCacheFile
except ModuleNotFoundError as error:
    message = "the exact solutions need numba: pip install 'hebb[circuits]'; or use the discrete form"
    raise ModuleNotFoundError(message, name=error.name) from error

_PACKAGES = ("circuits", "sim")  # whose sources can be part of a kernel
_IMPORT = re.compile(r"^from ([\w.]+) import (\([^)]*\)|.*)", re.MULTILINE)


def compiled(function):
    """A Numba function, kept on disk so that only the first use ever waits for the compiler; for threads, without the
    interpreter's lock.

    Numba itself compiles a function again when its own file has changed. Here it also does when a file has that its
    module imports, directly or not, from this package: what a kernel calls may have become part of it.
    """
    dispatcher = numba.njit(cache=True, nogil=True)(function)
    dispatcher._cache = _Cache(function)  # pyright: ignore[reportAttributeAccessIssue]
    return dispatcher


class _Cache(FunctionCache):
    """Numba's files of one function, valid as long as all its sources are."""

    def __init__(self, function) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), sources_digest(function.__module__)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)


@cache
def sources_digest(module: str) -> str:
    """What the sources of a module and of all that it imports from this package are like."""
    digest = blake2b(digest_size=16)
    for name in sorted(_with_imports(module)):
        digest.update(_source(name).encode())
    return digest.hexdigest()


def _with_imports(module: str) -> set[str]:
    found, coming = set(), [module]
    while coming:
        name = coming.pop()
        if name not in found:
            found.add(name)
            coming.extend(_imports(name))
    return found


@cache
def _imports(module: str) -> list[str]:
    """The modules of this package that a module imports, of those that are loaded: kernels are, with all they need."""
    names = []
    for package, things in _IMPORT.findall(_source(module)):
        if package.split(".")[0] in _PACKAGES:
            names += [package, *(f"{package}.{thing}" for thing in re.findall(r"\w+", things))]
    return [name for name in names if name in sys.modules]


@cache
def _source(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).read_text(encoding="utf-8") if file and Path(file).is_file() else ""

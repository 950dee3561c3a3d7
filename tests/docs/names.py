"""What a dotted name such as ``sim.train.start`` stands for, read from the sources: nothing is imported."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("circuits", "network", "sim", "validation")
Definition = ast.FunctionDef | ast.ClassDef


def exists(name: str) -> bool:
    """Whether a module, or something in one, has this name."""
    file, rest = module_of(name)
    return file is not None and _has(file, rest)


def definition(name: str) -> Definition | None:
    """The function or class of this name, followed through imports; None for anything else."""
    file, rest = module_of(name)
    if file is None or len(rest) != 1:
        return None
    found = _top(file).get(rest[0])
    if isinstance(found, str):
        return definition(found)
    return found if isinstance(found, Definition) else None


def keywords(found: Definition, name: str) -> set[str] | None:
    """What may be given by keyword; None where anything may."""
    if isinstance(found, ast.FunctionDef):
        if found.args.kwarg:
            return None
        return {each.arg for each in (*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs)}
    init = next((each for each in found.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    return keywords(init, name) if init else _members(found)


def module_of(name: str) -> tuple[Path | None, list[str]]:
    """The file of the longest part of `name` that is a module, and what is left of it."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file, parts[count:]
    return None, parts


def _has(file: Path, rest: list[str]) -> bool:
    if not rest:
        return True
    found = _top(file).get(rest[0])
    if isinstance(found, str):
        return exists(".".join([found, *rest[1:]]))
    if len(rest) == 1:
        return found is not None
    return isinstance(found, ast.ClassDef) and len(rest) == 2 and rest[1] in _members(found)


@cache
def _top(file: Path) -> dict[str, ast.AST | str]:
    """What a module has, by name; what it imports from this package as a dotted name."""
    found: dict[str, ast.AST | str] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FOLDERS:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                found |= {each.id: node for each in ast.walk(target) if isinstance(each, ast.Name)}
    return found


def _members(found: ast.ClassDef) -> set[str]:
    """Fields, methods and properties."""
    fields = {
        each.target.id for each in found.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    return fields | {each.name for each in found.body if isinstance(each, ast.FunctionDef)}

"""What the pages name is there: modules, functions, tests, claims, commands, flags, arguments. Sphinx is not needed."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from sim.cli import COMMANDS
from sim.config import FIELDS
from tests.docs.names import FOLDERS, ROOT, definition, exists, keywords, module_of

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), DOCS / "api.rst", ROOT / "README.md"]
IDS = [page.stem for page in PAGES]
NAME = rf"(?:{'|'.join(FOLDERS)})(?:\.\w+)+"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def inline(page: Path) -> list[str]:
    """What stands between single backticks; in api.rst every line that is a module."""
    if page.suffix == ".rst":
        return [line.strip() for line in text_of(page).splitlines() if re.fullmatch(rf"\s+{NAME}", line)]
    without_blocks = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", without_blocks)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_names_of_modules_and_functions_exist(page):
    for name in inline(page):
        if re.fullmatch(NAME, name) and not (ROOT / name).is_file():
            assert exists(name), f"{page.name}: `{name}`"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_and_tests_exist(page):
    for name in inline(page):
        path, _, test = name.partition("::")
        if re.fullmatch(r"[\w/]+/\w+\.(py|md)", path):
            assert (ROOT / path).is_file(), f"{page.name}: `{name}`"
            assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{page.name}: `{name}`"


def test_the_checks_of_this_file_find_something_to_check():
    page = DOCS / "paper_to_code.md"
    assert sum(bool(re.fullmatch(NAME, name)) for name in inline(page)) > 80
    assert sum("::" in name for name in inline(page)) > 40
    assert len(claims_named()) > 20
    assert not exists("network.reference.presents") and not exists("network.spec.NetworkSpec.layer")
    assert not exists("network.references") and exists("network.spec.NetworkSpec.layers")


@cache
def names_of_claims() -> set[str]:
    """Every text that some call in validation/ has first, or that is a key: among them the names of all claims."""
    found: set[str] = set()
    for path in (ROOT / "validation").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = []
            if isinstance(node, ast.Call):
                first = node.args[:1]
            elif isinstance(node, ast.Dict):
                first = node.keys
            elif isinstance(node, ast.Tuple):
                first = node.elts[:1]
            found |= {each.value for each in first if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return found | {"Theorem 1", "Theorem 2"} & {source for source in found if "Theorem" in source}


def claims_named() -> set[str]:
    """The last column of those tables of the page whose last column is "claim"."""
    found: set[str] = set()
    inside = False
    for line in text_of(DOCS / "paper_to_code.md").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        inside = bool(cells) and (inside or cells[-1] == "claim")
        if inside:
            found |= set(re.findall(r"`([^`]+)`", cells[-1]))
    return found


def test_claims_exist():
    known = names_of_claims()
    for claim in claims_named():
        if claim.endswith(": ..."):
            stem = claim.removesuffix(" ...")
            assert any(name.startswith(stem) for name in known) or stem.rstrip(":") in known, claim
        else:
            assert claim in known, claim


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_and_their_flags_exist(page):
    lines = [line.strip() for line in re.findall(r"^ {4}(hebb .*)", text_of(page), flags=re.MULTILINE)]
    for line in [*lines, *(name for name in inline(page) if name.startswith("hebb "))]:
        command, *words = line.split("#")[0].split()[1:]
        if command in ("NAME", "COMMAND"):
            continue
        assert command in COMMANDS, f"{page.name}: {line}"
        file, _ = module_of(COMMANDS[command][0])
        assert file is not None
        source = "".join(path.read_text(encoding="utf-8") for path in (file, ROOT / "sim/cli/parser.py"))
        for word in words:
            flag = word.split("=")[0]
            if flag.startswith("--") and command != "bench":
                assert f'"{flag}"' in source or flag[2:].replace("-", "_") in FIELDS, f"{page.name}: {line}: {flag}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_code_imports_what_exists_and_calls_it_as_it_can_be_called(page):
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        imported = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FOLDERS:
                for alias in node.names:
                    assert exists(f"{node.module}.{alias.name}"), f"{page.name}: {ast.unparse(node)}"
                    imported[alias.name] = f"{node.module}.{alias.name}"
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            found = definition(imported.get(getattr(call.func, "id", ""), ""))
            allowed = keywords(found, "") if found else None
            if allowed is not None:
                given = {each.arg for each in call.keywords if each.arg}
                assert given <= allowed, f"{page.name}: {ast.unparse(call)}: {given - allowed}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pages_link_to_pages_and_examples_that_exist(page):
    for target in re.findall(r"\{doc\}`([^`]+)`", text_of(page)):
        gallery = target.removeprefix("gallery/")
        path = ROOT / "examples" / f"{gallery}.py" if gallery != target else DOCS / f"{target}.md"
        assert path.is_file(), f"{page.name}: {target}"
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", text_of(page)):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_begin_as_the_gallery_wants_them(path):
    title, underline = (ast.get_docstring(ast.parse(text_of(path))) or "").splitlines()[:2]
    assert set(underline) == {"="} and len(underline) >= len(title)


def test_the_gallery_begins_with_examples_that_exist():
    conf = ast.parse(text_of(DOCS / "conf.py"))
    first = next(
        node.value
        for node in conf.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FIRST"
    )
    for name in ast.literal_eval(first):
        assert (ROOT / "examples" / f"{name}.py").is_file(), name

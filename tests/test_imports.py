"""The folders build on each other in one direction, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "network": set(),
    "circuits": set(),
    "sim": {"network", "circuits"},
    "validation": {"network", "circuits", "sim"},
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_folders_import_only_what_they_build_on(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for name in imported(path):
            top = name.split(".")[0]
            if top in MAY_IMPORT and top != folder:
                assert top in MAY_IMPORT[folder], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("sim.cli", {"torch", "numba", "brian2", "matplotlib", "pydantic", "sklearn"}),
        ("sim.train_cifar", {"torch", "numba", "brian2"}),
        ("sim.train", {"torch", "numba", "brian2"}),
        ("sim.torch_engine", {"numba", "brian2", "matplotlib"}),
        ("network.reference", {"torch", "numba", "brian2", "matplotlib"}),
        ("circuits", {"torch", "numba", "brian2"}),
    ],
)
def test_imports_stay_light(module, unwanted):
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert not unwanted & set(found.stdout.split())


def run_without(package, *arguments):
    """``hebb`` in a process where `package` cannot be imported, as where it is not installed."""
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name={package!r})
sys.meta_path.insert(0, Missing())
from sim.cli import main
sys.exit(main(sys.argv[1:]))
"""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("package", ["numba", "brian2"])
def test_training_works_without_the_circuit_packages(package, tmp_path):
    found = run_without(package, "train", "--net", "Full 5; Output", "--epochs", 1, "--out", tmp_path / "run")
    assert found.returncode == 0, found.stderr


def test_an_engine_without_its_package_says_what_to_install(tmp_path):
    found = run_without("torch", "train", "--net", "Full 5; Output", "--out", tmp_path / "run")
    assert found.returncode == 2
    assert 'pip install "hebb[torch]"' in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_reference_engine_trains_without_torch(tmp_path):
    flags = ["--engine", "reference", "--dtype", "float64", "--epochs", 1, "--out", tmp_path / "run"]
    found = run_without("torch", "train", "--net", "Full 5; Output", *flags)
    assert found.returncode == 0, found.stderr


def test_exporting_without_its_package_says_what_to_install(tmp_path):
    found = run_without("nir", "export", "nir", "output-error", "--out", tmp_path / "circuit.nir")
    assert found.returncode == 2
    assert 'pip install "hebb[nir]"' in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())

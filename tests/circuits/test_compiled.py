"""What Numba keeps on disk is used again, and not when something that a kernel calls has changed in another file."""

import shutil
import subprocess
import sys
from pathlib import Path

from circuits import compiled

KERNELS = """
from circuits import law
from circuits.compiled import compiled

_law = compiled(law.law)

@compiled
def kernel(x):
    return _law(x)
"""
CALL = "from circuits.kernels import kernel; print(kernel(1.0), sum(kernel.stats.cache_hits.values()))"


def test_a_kernel_is_compiled_again_when_what_it_calls_has_changed(tmp_path):
    package = tmp_path / "circuits"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNELS)
    shutil.copy(Path(compiled.__file__), package)

    def call(law: str) -> list[str]:
        (package / "law.py").write_text(f"def law(x):\n    return {law}\n")
        found = subprocess.run([sys.executable, "-c", CALL], cwd=tmp_path, check=True, capture_output=True, text=True)
        return found.stdout.split()

    assert call("x + 1") == ["2.0", "0"]
    assert call("x + 1") == ["2.0", "1"]
    assert call("x + 5") == ["6.0", "0"]

"""Who needs no compiler and no simulator does not wait for them."""

import subprocess
import sys

LIGHT = ("errors", "transfer", "parameters", "waveform", "discrete", "limit_cycle", "cycles")


def test_the_light_modules_load_neither_numba_nor_brian2_nor_matplotlib():
    imports = ", ".join(f"circuits.{name}" for name in LIGHT)
    check = f"import sys, {imports}; print(*({{'numba', 'brian2', 'matplotlib', 'torch'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_without_numba_the_exact_form_says_what_to_install():
    check = "import sys; sys.modules['numba'] = None; import circuits.exact"
    failed = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert failed.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the exact solutions need numba: pip install 'hebb[circuits]'; or use the discrete form"
    )

"""The kernels of a GPU compile to its machine code, where Triton is installed: no GPU is needed for that."""

import json
import os
import subprocess
import sys

import pytest

from tests.test_imports import ROOT

pytest.importorskip("triton", reason="Triton is not installed: pip install triton")

# In a process of its own: other tests have the same kernels interpreted, which is decided as they are imported.
COMPILES = """
import json
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sim.gpu import kernels

GEOMETRY = dict(height=32, width=32, rows=16, columns=16, sn=8192, sc=256, sh=16, sw=1, SIZE=3, STRIDE=2, TOP=1, LEFT=1)
FIRST = dict(filters=32, taps=75, in_=3072, ih=96, iw=3, KH=5, KW=5, UP=2, ASIDE=2, FILTERS=32, TAPS=128, PIXELS=64)
COUNTS = ("units", "threshold", "block_count", "pixels", "count")
NUMBERS = ("gain", "scale", "eta_W", "eta_R")


def compiled(kernel, places, constants, **options):
    def kind(name):
        if name in constants:
            return "constexpr"
        return places.get(name) or ("i32" if name in COUNTS else "fp32" if name in NUMBERS else places["others"])

    signature = {name: kind(name) for name in kernel.arg_names}
    given = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=given)
    return len(triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["cubin"])


found = {"draw": compiled(kernels.draw, {"kept": "*i1", "others": "*i64"}, {"BLOCK": 1024})}
switches = {"HAS_R": True, "MASKED_W": False, "MASKED_R": True, "BLOCK": 1024}
found["grow"] = compiled(kernels.grow, {"others": "*fp32"}, switches)
bytes_ = {"code": "*u8", "kept": "*u8", "sums": "*fp32"}
for dtype, precision in (("*fp32", "ieee"), ("*fp32", "tf32"), ("*bf16", "tf32")):
    places = {**bytes_, "others": dtype}
    whole = {**GEOMETRY, "channels": 32, "BLOCK": 1024}
    found[f"pool {dtype}"] = compiled(kernels.pool, places, {**whole, "SATURATES": True, "DROPS": True})
    found[f"send_back {dtype}"] = compiled(kernels.send_back, places, whole)
    found[f"increment_of_winners {dtype} {precision}"] = compiled(
        kernels.increment_of_winners, places, {**GEOMETRY, **FIRST, "PRECISION": precision}, num_stages=1
    )
print(json.dumps(found))
"""


def test_every_kernel_compiles_for_a_gpu_of_today(tmp_path):
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", COMPILES], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 9 and min(found.values()) > 1000  # bytes of machine code

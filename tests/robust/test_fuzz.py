"""A few of the fuzzer's inputs; ``python -m tests.robust.fuzz --minutes 5`` tries thousands."""

import re
import subprocess
import sys

import pytest

INPUTS = 8


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and measured as Linux does it")
def test_no_input_breaks_a_command():
    """Every kind of input in one process that has no network, no pickle and a bound on its memory."""
    words = ["-m", "tests.robust.fuzz", "--inputs", str(INPUTS)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    tried = {name: int(count) for name, count in re.findall(r"^([a-z-]+) +(\d+) ", done.stdout, re.MULTILINE)}
    assert len(tried) == 12
    assert min(tried.values()) >= INPUTS
    assert "0 broke something; nothing unpickled" in done.stdout

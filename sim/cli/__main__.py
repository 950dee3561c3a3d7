"""``python -m sim.cli``: the ``hebb`` command for launchers that take a module, such as torchrun."""

import sys

from sim.cli import main

sys.exit(main())

"""``python -m circuits``: the same as ``hebb circuit``."""

import argparse
import sys
from typing import NoReturn

from circuits import command


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(command.BAD_INPUT, f"{self.prog}: error: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """Run with these arguments (those of the process where not given); return the exit code."""
    parser = _Parser(prog="hebb circuit", description=command.__doc__)
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args(argv))
    except KeyboardInterrupt:
        print("hebb circuit: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""Flags: argparse, but mistakes are one line and say what was meant."""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from network.errors import BadInput, did_you_mean

IMAGES = (".png", ".svg", ".pdf")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `BadInput`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)
        # argparse takes -1e-3 for a flag; as a number it is a value, whatever the Python version.
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^-(inf|nan)$")

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        found = super().parse_args(*args, **kwargs)
        for name, value in vars(found).items():
            if value == "":  # an unset shell variable, which must not be taken for a flag that was not given
                raise BadInput(f"--{name.replace('_', '-')} '': expected a value; leave the flag away for its default")
        return found

    def error(self, message: str) -> NoReturn:
        flag = re.search(r"unrecognized arguments: (--[^\s=]+)", message)
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        hint = ""
        if flag:
            hint = did_you_mean(flag.group(1), self._option_string_actions)
        elif choice:
            hint = did_you_mean(choice.group(1), [option.strip("' ") for option in choice.group(2).split(",")])
        raise BadInput(f"{message}{hint or f'; {self.prog} --help lists the flags'}")


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json [FILE]``: the result as JSON, on stdout or in a file."""
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", type=writable, help="print the result as JSON, or write it"
    )


def add_figure(parser: argparse.ArgumentParser) -> None:
    """``--figure FILE``: the result drawn."""
    parser.add_argument("--figure", metavar="FILE", type=_drawable, help=f"draw it: {', '.join(IMAGES)}")


def _drawable(text: str) -> str:
    if text and not text.lower().endswith(IMAGES):
        raise argparse.ArgumentTypeError(f"'{text}' is no image; expected a name that ends in {', '.join(IMAGES)}")
    return writable(text)


def writable(text: str) -> str:
    """A file name that can be written to, checked before the work and not after it."""
    if text not in ("", "-"):
        path = Path(text)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise argparse.ArgumentTypeError(f"'{text}' cannot be written; expected a file in a folder that exists")
    return text


def report(args: argparse.Namespace, result: Any, text: str) -> None:
    """Print a command's result as text, or as JSON where ``--json`` was given; into a file where it names one."""
    if args.json == "-":
        print(json.dumps(result, indent=2))
        return
    if args.json:
        try:
            Path(args.json).write_text(json.dumps(result, indent=2) + "\n")
        except OSError as error:
            raise BadInput(f"--json {args.json}: cannot be written ({error.strerror})") from None
    print(text)


def note(text: str) -> None:
    """A remark that is no result: to stderr, so that JSON on stdout stays JSON."""
    print(f"note: {text}", file=sys.stderr)

"""The ``hebb`` command: picks a subcommand and imports only what that one needs."""

import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version

from network.errors import BadInput, unknown
from sim.cli.parser import Parser

# command: (module with `add_arguments` and `run`, what it does). By name, so that nothing is imported before it is
# asked for; some of them live in folders that build on this one.
COMMANDS = {
    "train": ("sim.cli.train", "train a network and keep the run in a folder"),
    "step": ("sim.cli.step", "present one batch from a file, write what every layer did"),
    "show": ("sim.cli.show", "print a network's layers, units, weights and synapses"),
    "circuit": ("circuits.command", "simulate the microcircuits of Appendix 1, plot their cycles"),
    "demo": ("validation.demo", "simulate the circuits, train three rules on embedded digits, write a report"),
}
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run ``hebb`` with these arguments (those of the process where not given); return its exit code.

    0 done, 1 a run, claim or comparison failed, 2 bad input (one line on stderr), 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(_help())
        return DONE
    if argv[0] in ("-V", "--version"):
        print(f"hebb {_version()}")
        return DONE
    return run_command(argv[0], argv[1:])


def run_command(name: str, argv: list[str], **defaults: str) -> int:
    """Run one command, turning what users can act on into one line on stderr and an exit code."""
    # Threads that wait by spinning take the cores from those that compute: where two cores were shared with another
    # job, a small network trained 15 times faster with this. It must be set before OpenMP starts.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if name not in COMMANDS:
            raise unknown("command", name, COMMANDS)
        module = importlib.import_module(COMMANDS[name][0])
        parser = Parser(prog=f"hebb {name}", description=module.__doc__)
        parser.set_defaults(**defaults)
        module.add_arguments(parser)
        code = module.run(parser.parse_args(argv))
        sys.stdout.flush()
        return code
    except BadInput as error:
        return _stop(f"hebb {name}: error: {error}", BAD_INPUT)
    except RuntimeError as error:
        if type(error).__name__ != "Diverged":
            raise
        return _stop(f"hebb {name}: stopped: {error}", FAILED)
    except KeyboardInterrupt as interrupt:
        return _stop(f"\nhebb {name}: {interrupt or 'interrupted'}", INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough, as in `hebb show simpnet | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:  # a full disk, a folder that may not be written: what is there is whole (run_folder)
        return _stop(f"hebb {name}: error: {error.filename or 'file'}: {error.strerror or error}", BAD_INPUT)


def _stop(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _help() -> str:
    lines = ["usage: hebb COMMAND ...", "", (__doc__ or "").split(":")[0].replace("``", "") + ":", ""]
    lines[2] = "Deep learning with asymmetric connections and Hebbian updates."
    width = max(map(len, COMMANDS))
    lines += [f"  {name.ljust(width)}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [*lines, "", "hebb COMMAND --help explains a command, with examples; hebb --version tells the version."]
    )


def _version() -> str:
    try:
        return version("hebb")
    except PackageNotFoundError:
        return "(not installed)"

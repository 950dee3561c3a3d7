"""The ``hebb`` command: picks a subcommand and imports only what that one needs."""

# Only the standard library here: whatever else is imported is imported inside `_guarded`, so that Ctrl-C at any moment
# and a reader that has gone away end quietly.
import importlib
import io
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

# command: (module with `add_arguments` and `run`, what it does). By name, so that nothing is imported before it is
# asked for; some of them live in folders that build on this one.
COMMANDS = {
    "train": ("sim.cli.train", "train a network and keep the run in a folder"),
    "step": ("sim.cli.step", "present one batch from a file, write what every layer did"),
    "view": ("sim.cli.view", "draw one presentation as a page to scrub through in a browser"),
    "show": ("sim.cli.show", "print a network's layers, units, weights and synapses"),
    "export": ("sim.cli.export", "write a network or circuit for other simulators and chips, as NIR"),
    "circuit": ("circuits.command", "simulate the microcircuits of Appendix 1, plot their cycles"),
    "timing": ("validation.timing", "disturb the timing of a network of circuits, see what it still learns"),
    "validate": ("validation.command", "check claim by claim that the circuit computes the algorithm, write a report"),
    "theory": ("validation.theory.command", "check the paper's theorems and figure 12, in and outside hypotheses"),
    "reproduce": ("validation.reproduce", "run a figure or table of the papers again, write a page about it"),
    "bench": ("sim.cli.bench", "measure speeds against plain PyTorch"),
    "demo": ("validation.demo", "simulate the circuits, train three rules on embedded digits, write a report"),
}
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
# Packages that only some engines and commands need: how to install each.
EXTRAS = (
    {"torch": 'pip install "hebb[torch]"'}
    | dict.fromkeys(("brian2", "numba", "threadpoolctl"), 'pip install "hebb[circuits]"')
    | dict.fromkeys(("nir", "h5py"), 'pip install "hebb[nir]"')
)


def main(argv: list[str] | None = None) -> int:
    """Run ``hebb`` with these arguments (those of the process where not given); return its exit code.

    0 done, 1 a run, claim or comparison failed, 2 bad input (one line on stderr), 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        return _guarded("hebb", lambda: _print(_help()))
    if argv[0] in ("-V", "--version"):
        return _guarded("hebb", lambda: _print(f"hebb {_version()}"))
    return run_command(argv[0], argv[1:])


def run_command(name: str, argv: list[str], prog: str | None = None, **defaults: str) -> int:
    """Run one command; `prog` is what the user called, `defaults` stand for flags that are not given."""
    # Threads that wait by spinning take the cores from those that compute: where two cores were shared with another
    # job, a small network trained 15 times faster with this. It must be set before OpenMP starts.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    prog = prog or f"hebb {name}"

    def command() -> int:
        from sim.cli.parser import Parser

        if name not in COMMANDS:
            from network.errors import unknown

            raise unknown("command", name, COMMANDS)
        module = importlib.import_module(COMMANDS[name][0])
        parser = Parser(prog=prog, description=(module.__doc__ or "").replace(f"hebb {name}", prog))
        parser.set_defaults(**defaults)
        module.add_arguments(parser)
        return module.run(parser.parse_args(argv))

    return _guarded(prog, command)


def _guarded(prog: str, command: Callable[[], int]) -> int:
    """Run `command`, turning what users can act on into one line on stderr and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path may have letters that the terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command()
        if sys.stdout is not None:  # it is where the shell closed it
            sys.stdout.flush()
        return code
    except KeyboardInterrupt as interrupt:
        return _stop(f"{prog}: {str(interrupt) or 'interrupted'}", INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough, as in `hebb show simpnet | head`
        _give_up_output()
        return DONE
    except Exception as error:
        from network.errors import BadInput, Diverged

        if isinstance(error, BadInput):
            return _stop(f"{prog}: error: {error}", BAD_INPUT)
        if isinstance(error, Diverged):
            return _stop(f"{prog}: stopped: {error}", FAILED)
        if isinstance(error, OSError):  # a full disk, a folder that may not be written: what is there is whole
            _give_up_output()
            return _stop(f"{prog}: error: {error.filename or 'output'}: {error.strerror or error}", BAD_INPUT)
        if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
            needs = f"needs the package '{error.name}', which is not installed: {EXTRAS[error.name]}"
            return _stop(f"{prog}: error: {needs}", BAD_INPUT)
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error).lower()):
            return _stop(f"{prog}: error: out of memory ({error}); use a smaller network or batch", BAD_INPUT)
        raise


def _give_up_output() -> None:
    """Where no more output can be written, have the interpreter's own flush at exit write what is left to nowhere."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _stop(message: str, code: int) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return code


def _print(text: str) -> int:
    print(text)
    return DONE


def _help() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "usage: hebb COMMAND ...",
            "",
            "Deep learning with asymmetric connections and Hebbian updates.",
            "",
            *(f"  {name.ljust(width)}  {what}" for name, (_, what) in COMMANDS.items()),
            "",
            "hebb COMMAND --help explains a command, with examples; hebb --version tells the version.",
        ]
    )


def _version() -> str:
    try:
        return version("hebb")
    except PackageNotFoundError:
        return "(not installed)"

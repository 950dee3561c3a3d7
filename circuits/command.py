"""Simulate the microcircuits of Appendix 1, and plot their oscillation cycles.

Examples:
  hebb circuit output-error --h 2 0.5 -2 0.5 --s 1 1 -1 -1 --plot cycles.png
  hebb circuit output-error --form brian --delay 0 --h 2      without delay it never shuts off
  hebb circuit shutdown --h 0.5 1.1 -2 --delta 1 --plot shutdown.png
  hebb circuit phase --x delay 0 6 --y h -1 5 --plot phase.png

All times are in ms.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from circuits.errors import CircuitError
from circuits.parameters import T_THRESHOLDS, FeedbackShutdown, OutputError

FORMS = ("exact", "brian", "discrete")
UPDATES = ("synchronous", "alternating")
DONE, BAD_INPUT = 0, 2
MS = 1e-3
DEFAULT_DT = 0.1  # ms

# Those that tell nothing about a discrete cycle, which has no time.
_TIMES = ("tau", "delay", "duration", "dt")
# As circuits.phase has them: that module loads a compiler, and this list is needed before.
_AXES = ("h", "delay", "epsilon", "M", "noise", "mu", "S")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands ``output-error``, ``shutdown`` and ``phase`` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="circuit", metavar="output-error|shutdown|phase", required=True)

    error = commands.add_parser("output-error", help="the circuit (s, δ, tc) that computes the output error, eq. (6)")
    error.add_argument("--h", type=float, nargs="+", help="input of the units (2 0.5 -2 0.5)")
    error.add_argument("--s", type=float, nargs="+", help="supervision, 1 or -1 (1; without --h 1 1 -1 -1)")
    _add_circuit_parameters(error)
    _add_form(error)

    shutdown = commands.add_parser("shutdown", help="the circuit (u, v) that stops the feedback of saturated units")
    shutdown.add_argument("--h", type=float, nargs="+", default=[2.0, 0.5, -2.0, 0.5], help="input of the units")
    shutdown.add_argument("--delta", type=float, nargs="+", default=[0.6], help="feedback that arrives (%(default)s)")
    shutdown.add_argument("--K", type=float, default=4.0, help="bound of the feedback, |delta| < K (%(default)s)")
    shutdown.add_argument("--tau", type=float, help="time constant, ms (10)")
    shutdown.add_argument("--delay", type=float, help="from x through u and v to the feedback, ms (5)")
    shutdown.add_argument("--unchecked", action="store_true", help="let |delta| >= K pass")
    _add_form(shutdown)

    phase = commands.add_parser(
        "phase", help="where the output-error circuit computes eq. (6), and what fails elsewhere"
    )
    for name, default in (("x", ["delay", "0", "6"]), ("y", ["h", "-1", "5"])):
        phase.add_argument(
            f"--{name}", nargs=3, metavar=("NAME", "FROM", "TO"), default=default,
            help=f"{name} axis: one of {', '.join(_AXES)}, where delay is D/tau ({' '.join(default)})",
        )  # fmt: skip
    phase.add_argument("--points", type=int, default=61, help="along either axis (%(default)s)")
    phase.add_argument("--log", nargs="+", choices=("x", "y"), default=[], help="axes with points at equal ratios")
    phase.add_argument("--readout", choices=("nearest_zero", "mean"), default="nearest_zero", help="of δ (%(default)s)")
    phase.add_argument(
        "--tolerance", type=float, default=0.05, help="a read-out this near eq. (6) is right (%(default)s)"
    )
    phase.add_argument("--h", type=float, default=2.0, help="input, where no axis varies it (%(default)s)")
    phase.add_argument("--s", type=float, default=1.0, help="supervision, 1 or -1 (%(default)s)")
    _add_circuit_parameters(phase)
    phase.set_defaults(defaults={name: phase.get_default(name) for name in _AXES})
    _add_files(phase)


def _add_circuit_parameters(parser: argparse.ArgumentParser) -> None:
    p = OutputError()
    parser.add_argument("--M", type=float, default=p.M, help="bound of the input, |h| < M (%(default)s)")
    parser.add_argument("--S", type=float, default=p.S, help="margin (%(default)s)")
    parser.add_argument("--mu", type=float, default=p.mu, help="error of a wrong class is -mu (%(default)s)")
    parser.add_argument("--epsilon", type=float, default=p.epsilon, help="overshoot of a correct output (%(default)s)")
    parser.add_argument("--tau", type=float, help=f"time constant, ms ({p.tau / MS:g})")
    parser.add_argument("--delay", type=float, help=f"D, of the whole loop, ms ({p.delay / MS:g})")
    parser.add_argument(
        "--t-threshold", choices=T_THRESHOLDS, default=p.t_threshold, help="of the control unit (%(default)s)"
    )
    parser.add_argument("--noise", type=float, default=0.0, help="on the control's input: sd (%(default)s)")
    parser.add_argument(
        "--noise-interval", type=float, default=1.0, help="how long a noise value holds, ms (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (%(default)s)")
    parser.add_argument("--unchecked", action="store_true", help="let |h| >= M pass")


def _add_form(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--form", choices=FORMS, default="exact", help="exact solution, Brian2, or the paper's update cycle"
    )
    parser.add_argument("--duration", type=float, help="ms (default: several periods)")
    parser.add_argument("--dt", type=float, help="ms: Brian2's time step, or the spacing of an exact trace (0.1)")
    parser.add_argument("--updates", type=int, help="how many, in the discrete form (24)")
    parser.add_argument("--update", choices=UPDATES, help="all at once or one after the other, in the discrete form")
    _add_files(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", metavar="FILE", help="write a figure: .png, .svg or .pdf")
    parser.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write the result as JSON; to stdout without FILE"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; return 0, or 2 with one line on stderr for input that cannot be used."""
    try:
        _check(args)
        # Each is imported when asked for: the exact form loads Numba, the other Brian2.
        if args.circuit == "phase":
            from circuits.command_phase import phase as command
        else:
            from circuits import command_simulate

            command = command_simulate.output_error if args.circuit == "output-error" else command_simulate.shutdown
        table, result, figure = command(args)
        if args.plot:
            from circuits.figures import save

            print(f"figure: {save(figure(), args.plot)}", file=sys.stderr if args.json == "-" else sys.stdout)
        if args.json:
            write_json(result, args.json)
        if args.json != "-":
            print(table)
    except ImportError as error:
        return _stop(f"this form needs a package that is not there: {error}")
    except ValueError as error:
        return _stop(str(error))
    except BrokenPipeError:
        raise  # no mistake of the user's: whoever read the output has seen enough
    except OSError as error:
        return _stop(f"{error.filename or 'file'}: {error.strerror or error}")
    return DONE


def _stop(message: str) -> int:
    print(f"hebb circuit: error: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT


def _check(args: argparse.Namespace) -> None:
    """Refuse what would otherwise be ignored, or fail only after the simulation."""
    discrete = getattr(args, "form", None) == "discrete"
    given = [f"--{name}" for name in _TIMES if discrete and getattr(args, name) is not None]
    if given:
        raise CircuitError(f"{', '.join(given)}: the discrete form has no time; use --updates, or --form exact")
    if not discrete and (getattr(args, "updates", None) is not None or getattr(args, "update", None)):
        raise CircuitError("--updates and --update belong to --form discrete; use --duration here")
    for name in ("duration", "dt", "noise_interval"):
        value = getattr(args, name, None)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise CircuitError(f"--{name.replace('_', '-')} {value:g}: expected a positive number of ms")
    if getattr(args, "updates", None) is not None and args.updates < 8:
        raise CircuitError(f"--updates {args.updates}: expected 8 or more, two cycles")
    tolerance = getattr(args, "tolerance", None)
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise CircuitError(f"--tolerance {tolerance:g}: expected a positive number")
    if getattr(args, "duration", None) and args.duration < 4 * (args.dt or DEFAULT_DT):
        raise CircuitError(
            f"--duration {args.duration:g}: expected at least four time steps of {args.dt or DEFAULT_DT:g} ms"
        )
    for file in (args.plot, args.json if args.json != "-" else None):
        if file and not Path(file).parent.is_dir():
            raise CircuitError(f"'{file}': there is no folder '{Path(file).parent}'")


def output_error_parameters(args: argparse.Namespace) -> OutputError:
    """The parameters that the flags give; times in ms there, in seconds here."""
    own = {name: getattr(args, name) * MS for name in ("tau", "delay") if getattr(args, name) is not None}
    return OutputError(
        M=args.M, S=args.S, mu=args.mu, epsilon=args.epsilon, t_threshold=args.t_threshold, **own
    )  # fmt: skip


def shutdown_parameters(args: argparse.Namespace) -> FeedbackShutdown:
    """The parameters that the flags give; times in ms there, in seconds here."""
    own = {name: getattr(args, name) * MS for name in ("tau", "delay") if getattr(args, name) is not None}
    return FeedbackShutdown(K=args.K, **own)


def write_json(result: dict[str, Any], file: str) -> None:
    """Write the result to a file, or to stdout for ``-``."""
    text = json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False)
    if file == "-":
        print(text)
    else:
        Path(file).write_text(text + "\n", encoding="utf-8")

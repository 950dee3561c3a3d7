"""``hebb circuit output-error`` and ``hebb circuit shutdown``: one simulation, in the form asked for."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from circuits.command import DEFAULT_DT, MS, output_error_parameters, shutdown_parameters
from circuits.cycles import Cycles, analyse
from circuits.errors import CircuitError
from circuits.limit_cycle import limit_cycle
from circuits.parameters import FeedbackShutdown, OutputError
from circuits.waveform import ShutdownTrace, Trace

Answer = tuple[str, dict[str, Any], Callable[[], Figure]]

FOUR_CASES = ([2.0, 0.5, -2.0, 0.5], [1.0, 1.0, -1.0, -1.0])  # h and s, of Appendix 1
PERIODS, PERIODS_PLOTTED = 12, 3.5
MOST_SAMPLES = 5_000_000  # of all units together
MOST_STEPS = 1e9  # of Brian2, times units (a step costs at least as much as a thousand units)
MOST_EVENTS = 1e9  # of the exact form, all units together
DEFAULT_UPDATES = 24


def output_error(args: argparse.Namespace) -> Answer:
    """Simulate; give the table to print, the result as JSON has it, and how to draw the figure."""
    parameters = output_error_parameters(args)
    supervision = args.s or ([1.0] if args.h else FOUR_CASES[1])
    h, s = _pair("h", np.asarray(args.h or FOUR_CASES[0]), "s", np.asarray(supervision))
    parameters.check(h, s, args.unchecked)
    period = max(float(limit_cycle(parameters, side).period) for side in (1, -1))
    duration = args.duration * MS if args.duration else max(30 * parameters.tau, PERIODS * period)
    _check_events(args, duration, period, h.size)
    if args.form == "discrete":
        from circuits import discrete

        if args.noise:
            raise CircuitError("--noise: the discrete form has no noise; use --form exact or brian")
        updates = args.updates if args.updates is not None else DEFAULT_UPDATES
        trace = discrete.output_error(
            parameters, h, s, updates, update=args.update or "synchronous", unchecked=args.unchecked
        )
        cycles = analyse(trace)
    elif args.form == "brian":
        trace = _brian_output_error(args, parameters, h, s, duration)
        cycles = analyse(trace)
    else:
        from circuits.exact import solve
        from circuits.exact_noise import Noise

        noise = Noise(args.noise, args.noise_interval * MS, args.seed)
        solution = solve(parameters, h, s, duration, noise=noise, unchecked=args.unchecked)
        trace, cycles = solution.sample(_times(args, duration, h.size)), analyse(solution)

    from circuits.figure_cycles import cycles_figure

    until = None
    if trace.time_unit == "s" and period > 0 and args.duration is None:
        until = min(PERIODS_PLOTTED * period, duration)
    result = _output_error_result(args, trace, cycles, h, s)
    return _output_error_table(result), result, lambda: cycles_figure(trace, cycles, until)


def shutdown(args: argparse.Namespace) -> Answer:
    """Simulate; give the table to print, the result as JSON has it, and how to draw the figure."""
    parameters = shutdown_parameters(args)
    h, delta = _pair("h", np.asarray(args.h), "delta", np.asarray(args.delta))
    parameters.check(delta, h, args.unchecked)
    duration = args.duration * MS if args.duration else 6 * parameters.tau + 2 * parameters.delay
    if args.form == "discrete":
        from circuits import discrete

        updates = args.updates if args.updates is not None else DEFAULT_UPDATES
        trace = discrete.feedback_shutdown(
            parameters, h, delta, updates, update=args.update or "synchronous", unchecked=args.unchecked
        )
    elif args.form == "brian":
        trace = _brian_shutdown(args, parameters, h, delta, duration)
    else:
        from circuits.exact_shutdown import solve_shutdown

        solution = solve_shutdown(parameters, h, delta, duration, unchecked=args.unchecked)
        trace = solution.sample(_times(args, duration, h.size))

    from circuits.figure_shutdown import shutdown_figure

    result = _shutdown_result(args, trace, h, delta)
    return _shutdown_table(result), result, lambda: shutdown_figure(trace)


def _pair(name: str, first: np.ndarray, other: str, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with one value for each unit."""
    units = max(first.size, second.size)
    if not {first.size, second.size} <= {1, units}:
        raise CircuitError(
            f"--{name} has {first.size} values, --{other} has {second.size}; give as many, or one for all"
        )
    return np.broadcast_to(first, units).astype(float), np.broadcast_to(second, units).astype(float)


def _times(args: argparse.Namespace, duration: float, units: int) -> np.ndarray:
    """The times of an exact trace, ends included."""
    samples = round(duration / ((args.dt or DEFAULT_DT) * MS)) + 1
    if samples * units > MOST_SAMPLES:
        raise CircuitError(f"{samples} times {units} units are too many samples; use a larger --dt or fewer units")
    return np.linspace(0, duration, max(samples, 2))


@contextmanager
def _quick_start(units: int) -> Iterator[Any]:
    """Brian2, with nothing to compile where a circuit is small; its settings are put back afterwards."""
    import brian2

    target = brian2.prefs.codegen.target
    if units <= 1000:
        brian2.prefs.codegen.target = "numpy"
    try:
        yield brian2
    finally:
        brian2.prefs.codegen.target = target


def _brian_output_error(args, parameters: OutputError, h: np.ndarray, s: np.ndarray, duration: float) -> Trace:
    _check_steps(args, duration, parameters.delay, h.size)
    with _quick_start(h.size) as brian2:
        from circuits.brian import OutputErrorCircuit

        step = ((args.dt or DEFAULT_DT) * MS) * brian2.second
        noise: Any = 0.0
        if args.noise:
            from circuits.exact_noise import Noise

            drawn = Noise(args.noise, args.noise_interval * MS, args.seed)
            noise = brian2.TimedArray(drawn.samples(h.size, duration), dt=drawn.interval * brian2.second)
        circuit = OutputErrorCircuit(h, s, parameters, noise=noise, dt=step, unchecked=args.unchecked)
        _run_whole(brian2.Network(circuit), duration * brian2.second)
        return circuit.trace()


def _check_events(args, duration: float, period: float, units: int) -> None:
    """Refuse what would take hours, by the flag that asks for it."""
    if args.form != "discrete" and period > 0 and 4 * duration / period * units > MOST_EVENTS:
        raise CircuitError(
            f"--duration {duration / MS:g}: {duration / period:.2g} cycles are too many; use a shorter one"
        )
    if args.form != "discrete" and args.noise and duration / (args.noise_interval * MS) * units > MOST_EVENTS:
        raise CircuitError(f"--noise-interval {args.noise_interval:g}: too many noise values; use a longer interval")


def _run_whole(network: Any, duration: Any) -> None:
    """Run Brian2, which takes Ctrl-C for the wish to see what there is so far: here it is the wish to stop."""
    network.run(duration, namespace={})
    if network.t < 0.999 * duration:
        raise KeyboardInterrupt


def _check_steps(args, duration: float, delay: float, units: int) -> None:
    """Refuse what Brian2 would simulate wrongly or not within hours."""
    step = (args.dt or DEFAULT_DT) * MS
    if 0 < delay < step:
        raise CircuitError(f"--dt {step / MS:g}: longer than the delay of {delay / MS:g} ms; use a smaller time step")
    if abs(delay / step - round(delay / step)) > 1e-6:
        near = max(1, round(delay / step)) * step / MS
        raise CircuitError(
            f"--dt {step / MS:g}: the delay of {delay / MS:g} ms is no multiple of it and would be {near:g}"
        )
    if duration / step * max(units, 1000) > MOST_STEPS:
        raise CircuitError(
            f"--duration {duration / MS:g}: {duration / step:.2g} time steps are too many; use --form exact"
        )


def _brian_shutdown(
    args, parameters: FeedbackShutdown, h: np.ndarray, delta: np.ndarray, duration: float
) -> ShutdownTrace:
    _check_steps(args, duration, parameters.delay, h.size)
    with _quick_start(h.size) as brian2:
        from circuits.brian import FeedbackShutdownCircuit

        step = ((args.dt or DEFAULT_DT) * MS) * brian2.second
        circuit = FeedbackShutdownCircuit(h, delta, parameters, dt=step, unchecked=args.unchecked)
        _run_whole(brian2.Network(circuit), duration * brian2.second)
        return circuit.trace()


def _numbers(values: np.ndarray) -> list[float | None]:
    """As JSON has them: null for what there is not, and no negative zero."""
    return [float(value) + 0.0 if np.isfinite(value) else None for value in values]


def _output_error_result(args, trace: Trace, cycles: Cycles, h: np.ndarray, s: np.ndarray) -> dict[str, Any]:
    """What JSON gets: lists with one entry per unit, over the settled part; times in ms, or in updates."""
    p = trace.parameters
    unit, scale = ("ms", 1 / MS) if trace.time_unit == "s" else ("updates", 1.0)
    times = {"tau": p.tau / MS, "delay": p.delay / MS} if unit == "ms" else {}
    return {
        "circuit": "output-error",
        "form": args.form,
        "parameters": {"M": p.M, "S": p.S, "mu": p.mu, "epsilon": p.epsilon, "t_threshold": p.t_threshold, **times},
        "time_unit": unit,
        "settled_from": cycles.since * scale,
        "h": _numbers(h),
        "s": _numbers(s),
        "state": [str(state) for state in cycles.state],
        "min": _numbers(cycles.low),
        "max": _numbers(cycles.high),
        "mean": _numbers(cycles.mean),
        "period": _numbers(cycles.period * scale),
        "readout": _numbers(cycles.nearest_zero),
        "equation_6": _numbers(p.target(h, s)),
    }


def _shutdown_result(args, trace: ShutdownTrace, h: np.ndarray, delta: np.ndarray) -> dict[str, Any]:
    """What JSON gets: lists with one entry per unit, at the end of the trace."""
    p = trace.parameters
    times = {"tau": p.tau / MS, "delay": p.delay / MS} if trace.time_unit == "s" else {}
    scale = 1 / MS if trace.time_unit == "s" else 1.0
    return {
        "circuit": "shutdown",
        "form": args.form,
        "parameters": {"K": p.K, **times},
        "time_unit": "ms" if times else "updates",
        "duration": float(trace.times[-1]) * scale,
        "h": _numbers(h),
        "delta": _numbers(delta),
        **{name: _numbers(getattr(trace, name)[-1]) for name in ("x", "u", "v")},
        "readout": _numbers(trace.delta_tilde[-1]),
        "equation_3": _numbers(p.target(h, delta)),
    }


def _output_error_table(result: dict[str, Any]) -> str:
    columns = ["h", "s", "state", "min", "max", "mean", "period", "readout", "equation_6"]
    heads = [*columns[:6], f"period ({result['time_unit']})", "read-out", "eq. (6)"]
    return _table(heads, [result[name] for name in columns])


def _shutdown_table(result: dict[str, Any]) -> str:
    columns = ["h", "delta", "x", "u", "v", "readout", "equation_3"]
    return _table([*columns[:5], "gets through", "eq. (3)"], [result[name] for name in columns])


def _table(heads: list[str], columns: list[list[Any]]) -> str:
    """Columns of text, numbers to four digits."""
    rows = [heads, *([_cell(value) for value in row] for row in zip(*columns, strict=True))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _cell(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.4g}"

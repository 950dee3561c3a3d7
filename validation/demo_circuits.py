"""The first part of the demonstration: the microcircuits of Appendix 1, simulated while the reader waits."""

import numpy as np

from circuits.figure_circuit import output_error_graph, plot_circuit, shutdown_graph
from circuits.figure_shutdown import timing_figure
from circuits.figure_transfer import transfer_figure
from circuits.figures import axes_or_new, figure_of
from circuits.limit_cycle import limit_cycle
from circuits.parameters import OutputError
from validation.report import Picture, Section

COMMAND = "hebb circuit output-error --h 2 0.5 -2 0.5 --s 1 1 -1 -1 --plot cycles.png"


def circuit_sections() -> tuple[Section, ...]:
    """Figures 13 to 15 of the paper, the four cases of Appendix 1 as oscillation cycles, and where they hold.

    Where Numba is not installed the simulations are left out, with a word on how to get them.
    """
    drawn = Section(
        "The circuit of an output unit",
        text=(
            "A unit of the output layer must say 1 or -mu while its output is not yet correct, and nothing once it is "
            "(equation 6). It cannot know the equation: a control neuron tc shuts it off.",
        ),
        figures=(
            Picture.of(plot_circuit(output_error_graph()), "The output-error circuit (figure 14)."),
            Picture.of(transfer_figure(), "Transfer functions of its neurons (figure 13)."),
        ),
    )
    shutdown = Section(
        "The circuit of a hidden unit",
        text=("Feedback must not pass a saturated unit (equation 3). Two neurons, u and v, see to that.",),
        figures=(
            Picture.of(plot_circuit(shutdown_graph()), "The feedback-shutdown circuit."),
            Picture.of(timing_figure(), "The order of events at one unit (figure 15)."),
        ),
    )
    try:
        simulated = _simulated()
    except ModuleNotFoundError as error:
        missing = f"Not simulated here: this needs {error.name}, which is not installed."
        simulated = Section("Its oscillation cycles", text=(missing,), code='pip install "hebb[circuits]"\n' + COMMAND)
    return drawn, simulated, shutdown


def _simulated() -> Section:
    """The four cases, and the phase diagram."""
    from circuits.cycles import analyse
    from circuits.exact import solve
    from circuits.figure_cycles import cycles_figure
    from circuits.figure_phase import plot_phase
    from circuits.phase import phase_diagram

    parameters = OutputError()
    period = float(limit_cycle(parameters, 1).period)
    solution = solve(parameters, [2.0, 0.5, -2.0, 0.5], [1, 1, -1, -1], 12 * period)
    trace = solution.sample(np.linspace(0, 12 * period, 6001))
    lowest = abs(solution.measures.low[0])
    diagram = phase_diagram("delay", np.linspace(0, 6, 61), "h", np.linspace(-1, 5, 61), parameters, s=1)
    return Section(
        "Its oscillation cycles",
        text=(
            f"Four units from the exact solution of their rate equations. Two are sufficiently correct: they "
            f"oscillate, and what counts is the value nearest 0 in a cycle, {lowest:.4f} for the first, "
            f"which is e^(-D/tau). "
            f"Without a delay D in the loop there is no shut-off at all.",
        ),
        figures=(
            Picture.of(cycles_figure(trace, analyse(solution), 3.5 * period), "The four cases of Appendix 1."),
            Picture.of(
                figure_of(plot_phase(diagram, axes_or_new(None, 6, 4))),
                "Where the circuit computes equation (6) to 0.05, and what fails elsewhere; "
                "M 4, S 1, mu 0.5, epsilon 0.2, s = 1.",
            ),
        ),
        code=COMMAND,
    )

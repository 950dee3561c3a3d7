"""The output-error circuit of Appendix 1 as a graph of the Neuromorphic Intermediate Representation (NIR)."""

from typing import Any

import numpy as np

from circuits.parameters import OutputError
from network.errors import BadInput
from sim.nir_graph import Graph


def export_output_error(parameters: OutputError, units: int = 1) -> Any:
    """τ δ' = -δ + σ_δ(h + 2 M s - 2 M tc), tc(t) = σ_t(δ(t - D)), all of which NIR can express.

    σ_δ and σ_t are sums of thresholds, the membrane is a leaky integrator, the loop has a delay node.

    Parameters
    ----------
    parameters : OutputError
        With a delay: without one the circuit never shuts off.
    units : int
        How many circuits, side by side.

    Returns
    -------
    nir.NIRGraph
        From nodes ``h`` and ``s`` (1, or -1), to ``delta_out`` and ``tc_out``, (units,) each; ``delta`` is the leaky
        integrator, ``tc`` the control.

    Raises
    ------
    BadInput
        For a delay of 0, or no units.
    """
    import nir  # pyright: ignore[reportMissingImports]

    if units < 1:
        raise BadInput(f"units {units}: expected at least 1")
    if parameters.delay <= 0:
        raise BadInput(f"delay = {parameters.delay:g} s: expected a positive delay; without it nothing is shut off")
    p, shape, graph = parameters, (units,), Graph(nir, np.dtype(float))
    size = {"input": np.array(shape)}
    graph.add("h", nir.Input(size))
    graph.add("s", nir.Input(size))
    graph.scale("supervision", 2 * p.M, shape, "s")
    graph.scale("control", -2 * p.M, shape, "tc")
    graph.scale("H", 1.0, shape, "h", "supervision", "control")
    graph.scale("H.minus", -1.0, shape, "H")
    # NIR's thresholds are strict, and H = M is on the plateau.
    on_plateau = float(np.nextafter(p.M, 0.0))
    for name, source, at, level in (
        ("plateau", "H", on_plateau, 1.0),
        ("beyond", "H", 2 * p.M + p.S, p.epsilon),
        ("minus_plateau", "H.minus", on_plateau, -p.mu),
        ("minus_beyond", "H.minus", 2 * p.M + p.S, -p.epsilon),
    ):
        graph.threshold(f"{name}.reached", at, shape, source)
        graph.scale(name, level, shape, f"{name}.reached")
    graph.leak("delta", p.tau, shape, "plateau", "beyond", "minus_plateau", "minus_beyond")
    graph.add("late", nir.Delay(delay=graph.full(shape, p.delay)), "delta")
    graph.scale("late.minus", -1.0, shape, "late")
    graph.threshold("tc.up", p.t_upper, shape, "late")
    graph.threshold("tc.down", -p.t_lower, shape, "late.minus")
    graph.scale("tc.minus", -1.0, shape, "tc.down")
    graph.scale("tc", 1.0, shape, "tc.up", "tc.minus")
    graph.add("delta_out", nir.Output({"output": np.array(shape)}), "delta")
    graph.add("tc_out", nir.Output({"output": np.array(shape)}), "tc")
    return graph.finish(circuit="output error, Amit (2019), Appendix 1")

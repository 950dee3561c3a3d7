"""Figure 14, the output-error circuit as a graph, and the feedback-shutdown circuit drawn the same way."""

import networkx as nx
import numpy as np
from matplotlib.axes import Axes

from circuits.figures import BLACK, BLUE, GREEN, GREY, PINK, RED, axes_or_new, styled

# Neurons by what they are for. Plain text stands for what comes from outside the circuit.
_COLOURS = {"error": BLUE, "control": RED, "supervision": GREEN, "unit": BLUE, "shutdown": RED, "outside": "none"}


def output_error_graph() -> nx.DiGraph:
    """Neurons s, δ and tc and what joins them; nodes have ``role``, ``at`` and ``text``, edges ``weight``.

    A node outside the circuit is a text; its ``margin``, in points, is where an arrow from it begins.
    """
    graph = nx.DiGraph(name="output-error circuit")
    graph.add_node("h", role="outside", at=(-0.6, -1.3), text="h = ⟨W, x⟩", margin=12)
    graph.add_node(
        "feedback", role="outside", at=(0.6, -1.3), text="feedback to the layers below,\nHebbian update of W"
    )
    graph.add_node("δ", role="error", at=(0, 0), text="error")
    graph.add_node("s", role="supervision", at=(-1.5, 0), text="supervision, ±1")
    graph.add_node("tc", role="control", at=(1.5, 0), text="control")
    graph.add_edge("h", "δ", weight="1")
    graph.add_edge("s", "δ", weight="+2M")
    graph.add_edge("δ", "tc", weight=r"1, $\sigma_t$")
    graph.add_edge("tc", "δ", weight="-2M, delay D")
    graph.add_edge("δ", "feedback", weight="")
    return graph


def shutdown_graph() -> nx.DiGraph:
    """The unit before (x) and after (δ̃) the feedback has arrived, and the neurons u and v that can shut it off."""
    graph = nx.DiGraph(name="feedback-shutdown circuit")
    graph.add_node("h", role="outside", at=(-3.0, 0), text="h", margin=12)
    graph.add_node("x", role="unit", at=(-1.5, 0), text="")
    graph.add_node("u", role="shutdown", at=(0, 0.75), text="1[x ≥ 1]")
    graph.add_node("v", role="shutdown", at=(0, -0.75), text="-1[x ≤ -1]")
    graph.add_node("δ̃", role="unit", at=(1.5, 0), text="")
    graph.add_node("δ", role="outside", at=(3.7, 0), text=r"δ = $R^T\delta_{l+1}$", margin=38)
    for source, target, weight in (
        ("h", "x", ""), ("x", "u", "1"), ("x", "v", "1"), ("u", "δ̃", "-2K"), ("v", "δ̃", "+2K"), ("δ", "δ̃", "1"),
    ):  # fmt: skip
        graph.add_edge(source, target, weight=weight)
    return graph


@styled
def plot_circuit(graph: nx.DiGraph, ax: Axes | None = None) -> Axes:
    """Draw a circuit's graph: circles are neurons, numbers on arrows are weights.

    Parameters
    ----------
    graph : networkx.DiGraph
        As from `output_error_graph` or `shutdown_graph`.
    ax : matplotlib.axes.Axes, optional
    """
    ax = axes_or_new(ax, 5.0, 2.8)
    at = nx.get_node_attributes(graph, "at")
    outside = [node for node, role in graph.nodes("role") if role == "outside"]
    neurons = [node for node in graph if node not in outside]
    colours = [_COLOURS[graph.nodes[node]["role"]] for node in neurons]
    nx.draw_networkx_nodes(
        graph, at, neurons, node_size=1300, node_color="white", edgecolors=colours, linewidths=2, ax=ax
    )
    nx.draw_networkx_labels(graph, at, {node: node for node in neurons}, font_size=12, ax=ax)
    nx.draw_networkx_labels(graph, at, {node: graph.nodes[node]["text"] for node in outside}, font_size=9, ax=ax)
    for source, target, weight in graph.edges(data="weight"):
        colour = PINK if weight.startswith("-") else BLACK
        both_ways = graph.has_edge(target, source)
        (x0, y0), (x1, y1) = at[source], at[target]
        margin = graph.nodes[source].get("margin", 0)
        nx.draw_networkx_edges(
            graph, at, [(source, target)], node_size=1300, arrowstyle="-|>", arrowsize=14, width=1.4, ax=ax,
            edge_color=colour, connectionstyle="arc3,rad=0.28" if both_ways else "arc3", min_source_margin=margin,
        )  # fmt: skip
        # The weight goes beside the arrow: to its left as it runs, but to the right of one that bends to the right.
        away = -1 if both_ways else 1
        length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
        points = (28 if both_ways else 10) / length
        ax.annotate(
            weight, ((x0 + x1) / 2, (y0 + y1) / 2), (-away * (y1 - y0) * points, away * (x1 - x0) * points),
            textcoords="offset points", ha="center", va="center", size=9, color=colour,
        )  # fmt: skip
    for node in neurons:
        below = at[node][1] < 0
        ax.annotate(
            graph.nodes[node]["text"], at[node], (0, -24 if below else 24), textcoords="offset points", ha="center",
            va="top" if below else "bottom", size=8, color=GREY,
        )  # fmt: skip
    ax.set_axis_off()
    ax.margins(0.18, 0.3)
    ax.set_title(graph.graph["name"])
    return ax

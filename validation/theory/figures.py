"""Figures of the theory; functions draw on given axes or return a figure of their own."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from circuits.figures import BLACK, BLUE, GREEN, GREY, LIGHT_BLUE, ORANGE, RED, axes_or_new, new_figure, styled
from validation.theory.equations import Array
from validation.theory.figure12 import BP, Run
from validation.theory.general import EPSILONS, GENERAL_R0, NONZERO_W0, log_errors
from validation.theory.hypotheses import MUCH_LESS, TARGETS, H, ratio_bound
from validation.theory.ladder import Ladder, Systems, climb
from validation.theory.margins import Margins
from validation.tolerances import THEORY

# FRFB is red and URFB blue in every figure of the package; what lies between them lies between.
COLOURS = (RED, ORANGE, LIGHT_BLUE, BLUE)
LAYERS = {0: "input layer", 1: "middle layer", 2: "top layer"}


@styled
def figure_12(runs: Sequence[Run]) -> Figure:
    """Figure 12: log-error in the first row, then the correlations of W_l and R_l^t; a column a run, three at most."""
    shown = runs[:3]
    figure = new_figure(2.6 * len(shown) + 0.6, 7.6)
    axes = figure.subplots(4, len(shown), sharex=True, sharey="row", squeeze=False)
    for column, run in enumerate(shown):
        iterations = np.arange(run.log_error.shape[1])
        for log_error, label, colour in zip(run.log_error, run.settings.labels, (GREEN, *COLOURS), strict=True):
            name = label if label == BP else f"ε = {label}"
            axes[0, column].plot(iterations, log_error, color=colour, label=name, lw=1.2)
        for layer in range(3):
            for correlation, colour in zip(run.correlation[:, layer], COLOURS, strict=True):
                axes[layer + 1, column].plot(iterations, correlation, color=colour, lw=1.2)
            axes[layer + 1, column].set_ylim(-0.1, 1.05)
        axes[0, column].set_title(f"run with seed {run.seed}")
        axes[-1, column].set_xlabel("iteration")
    axes[0, 0].set_ylabel("log₁₀ tr(EᵗE)")
    for layer in range(3):
        axes[layer + 1, 0].set_ylabel(f"correlation of W and Rᵗ\n{LAYERS[layer]} (l = {layer + 1})")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


@styled
def figure_12_spread(runs: Sequence[Run]) -> Figure:
    """Figure 12 over all runs: the mean as a line, from the lowest run to the highest as a band."""
    figure = new_figure(10.0, 2.9)
    axes = figure.subplots(1, 4)
    log_error = np.stack([run.log_error for run in runs])
    correlation = np.stack([run.correlation for run in runs])[..., 1:]  # at first W is 0
    iterations = np.arange(log_error.shape[-1])

    def band(ax: Axes, x: Array, values: Array, colour: str, label: str = "") -> None:
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.25, lw=0)
        ax.plot(x, values.mean(axis=0), color=colour, lw=1.2, label=label)

    for i, (label, colour) in enumerate(zip(runs[0].settings.labels, (GREEN, *COLOURS), strict=True)):
        band(axes[0], iterations, log_error[:, i], colour, label if label == BP else f"ε = {label}")
    for layer in range(3):
        for i, colour in enumerate(COLOURS):
            band(axes[layer + 1], iterations[1:], correlation[:, i, layer], colour)
        axes[layer + 1].set(title=f"{LAYERS[layer]} (l = {layer + 1})", ylim=(-0.1, 1.05), xlabel="iteration")
    axes[0].set(title=f"{len(runs)} runs", ylabel="log₁₀ tr(EᵗE)", xlabel="iteration")
    axes[1].set_ylabel("correlation of W and Rᵗ")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


def example(k: int) -> Ladder:
    """A system within Theorem 1 (k = 2) or 2 (k = 3), at the four epsilon of figure 12."""
    lambda_R = np.array([[0.1], [0.04]])[: k - 1]
    return climb(Systems(np.array([0.9]), lambda_R), np.array(EPSILONS), step=0.05)


@styled
def scalar_figure() -> Figure:
    """Error and lambda of one system for k = 2 and one for k = 3, at four epsilon."""
    figure = new_figure(9.0, 4.6)
    axes = figure.subplots(2, 4, squeeze=False)
    for row, k in enumerate((2, 3)):
        ladder = example(k)
        t = ladder.t[:, 0]
        for i in range(len(EPSILONS)):
            axes[row, 0].semilogy(t, np.exp(ladder.log_error[:, i, 0]), color=COLOURS[i], label=f"ε = {EPSILONS[i]:g}")
            for layer in range(k):
                axes[row, layer + 1].plot(t, ladder.lam[layer, :, i, 0], color=COLOURS[i])
        end = t[np.argmax(ladder.log_error[:, 0, 0] < np.log(1e-2))]
        axes[row, 0].set(ylabel=f"k = {k}:  $e / λ_T$", ylim=(1e-6, 2), title="error")
        for layer in range(k):
            axes[row, layer + 1].set(title=f"$λ_{layer + 1}$", ylim=(0, None))
        for ax in axes[row, : k + 1]:
            ax.set(xlim=(0, end), xlabel="time")
    axes[0, 3].set_axis_off()
    axes[0, 3].legend(*axes[0, 0].get_legend_handles_labels(), loc="center")
    return figure


def _symbol(quantity: str) -> str:
    """``lambda_2`` as mathematics; words as they are."""
    return f"${quantity.replace('lambda', 'λ')}$" if "_" in quantity else quantity


@styled
def plot_margins(found: Margins, quantities: Sequence[str], ax: Axes | None = None, title: str = "") -> Axes:
    """The least margin of every system against the size of its feedback; above the line it is more than error."""
    ax = axes_or_new(ax, 4.5, 3.2)
    size = found.systems.lambda_R[0] / found.systems.lambda_T
    for quantity, colour in zip(quantities, (BLUE, RED, GREEN), strict=False):
        ax.plot(size, found.least[quantity], ".", ms=1.5, color=colour, rasterized=True, alpha=0.5)
        ax.plot([], [], "o", ms=4, color=colour, label=_symbol(quantity))
    ax.axhline(THEORY["margin"].relative, color=BLACK, lw=0.8, ls="--", label="tolerance")
    lowest = min(float(found.least[quantity].min()) for quantity in quantities)
    ax.set(xscale="log", yscale="log", xlabel="$λ_{R,2} / λ_T$", title=title, ylim=(min(lowest, 1e-6) / 60, 4))
    ax.set_ylabel("least increase with ε\n(relative, per unit of ε)")
    ax.legend(loc="lower right", ncols=4, columnspacing=1.0)
    return ax


@styled
def plot_second(ratio: Array, third: Array, least: Array, ax: Axes | None = None) -> Axes:
    """Where lambda_2 increases from epsilon = 0 to 1, and the bounds of Theorem 2; as from `outside.map_of_second`."""
    ax = axes_or_new(ax, 5.6, 4.0)
    increases = least > THEORY["margin"].relative
    ax.pcolormesh(ratio, third, increases, cmap=ListedColormap(["#E8B9A0", "#FFFFFF"]), vmin=0, vmax=1, rasterized=True)
    bound = float(ratio_bound(1.0))
    ax.axvline(bound, color=BLUE, label=f"Theorem 2: $λ_{{R,2}} > {bound:.3f} λ_{{R,3}}$")
    line = np.geomspace(ratio[0], ratio[-1], 200)
    ax.plot(
        line,
        np.minimum(MUCH_LESS * TARGETS[1], MUCH_LESS * TARGETS[1] / line),
        color=GREY,
        ls=":",
        label=f"Theorem 2: $λ_{{R,i}} < {MUCH_LESS:g} λ_T$",
    )
    # lambda_R,3^2 H = 1 with lambda_R,2 = line lambda_R,3: lambda_R,3^3 sqrt(2 line + 1) = 1
    ax.plot(line, 1 / np.cbrt(H(1.0, line, 1.0)), color=GREEN, ls="--", label="explicit bound: $λ_{R,3}^2 H ≤ λ_T$")
    ax.plot([], [], "s", color="#E8B9A0", label="$λ_2$ decreases at some time")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="$λ_{R,2} / λ_{R,3}$",
        ylabel="$λ_{R,3}$  ($λ_T = 1$)",
        xlim=ratio[[0, -1]],
        ylim=third[[0, -1]],
        title="k = 3, from ε = 0 to 1: $λ_2$ increases (white)",
    )
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


@styled
def counterexamples_figure() -> Figure:
    """The two stored networks in which a larger epsilon is behind."""
    figure = new_figure(8.0, 3.2)
    shown = (
        (GENERAL_R0, "k = 3, general R(0): FRFB is ahead for a while", 14.0),
        (NONZERO_W0, "k = 2, W(0) not 0: ε = 1 stays at a saddle", 30.0),
    )
    for ax, (start, title, end) in zip(figure.subplots(1, 2), shown, strict=True):
        times = np.linspace(0, end, 141)
        for log_error, epsilon, colour in zip(log_errors(start, times).T, EPSILONS, COLOURS, strict=True):
            ax.semilogy(times, np.exp(log_error), color=colour, label=f"ε = {epsilon:g}")
        ax.set(xlabel="time", ylabel="tr(EᵗE) / its start", title=title, ylim=(1e-5, 2))
        ax.legend(loc="lower left" if start is GENERAL_R0 else "center right")
    return figure

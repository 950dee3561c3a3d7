"""The equations as claims: each law of `validation.laws` on every engine that takes no time."""

from collections.abc import Callable, Iterable, Sequence

from network.layers import Full
from network.rules import effective_order
from network.trace import StepTrace
from validation.cases import Case
from validation.claims import Claim
from validation.laws import Laws
from validation.ties import Presented
from validation.tolerances import TOLERANCES
from validation.variants import Variant
from validation.worst import Worst


def _always(case: Presented) -> bool:
    return True


def _has_R(case: Presented) -> bool:
    return not case.rule.symmetric


def _plain_urfb(case: Presented) -> bool:
    return case.rule.feedback_rate == 1 and case.rule.feedback_decay == 0


def _excites_itself(case: Presented) -> bool:
    """Fully connected, every connection there, R learns as W does and its increment is there when feedback passes."""
    dense = all(isinstance(node.layer, Full) for node in case.spec.nodes)
    after = effective_order(case.rule, case.order) == "after_update"
    return dense and after and _plain_urfb(case) and not case.weights.mask_R


# name: (statement, source, law, where it applies). The order is that of a presentation.
LAWS: dict[str, tuple[str, str, Callable[[Laws], float], Callable[[Presented], bool]]] = {
    "steady-state": (
        "The activity of every unit is the sum over its synapses, cut off at -1 and 1.",
        "equation (1)", Laws.activity, _always,
    ),
    "output-error": (
        "The output units report 1 or -mu, and 0 where the output is sufficiently correct.",
        "equation (6), figure 13", Laws.output_error, _always,
    ),
    "feedback": (
        "What a unit that is not saturated feeds back is g times what the units above send it through R.",
        "equation (2), Remark 1", Laws.feedback, _always,
    ),
    "shutdown": (
        "A saturated unit feeds nothing back.",
        "equation (3), Appendix 1", Laws.shutdown, _always,
    ),
    "hebbian": (
        "Every synapse changes by eta times the product of the two activities that it connects, and nothing else.",
        "section 3.1", Laws.hebbian, _always,
    ),
    "feedback-hebbian": (
        "R changes by the same product, times its own rate, less what decays.",
        "equation (7); Kolen and Pollack", Laws.feedback_hebbian, _has_R,
    ),
    "same-increment": (
        "Under URFB the increments of W and R are equal to the last bit.",
        "section 3.1", Laws.same_increment, _plain_urfb,
    ),
    "no-connection": (
        "A synapse that does not exist does not change.",
        "section 4.1", Laws.connections, _always,
    ),
    "self-excitation": (
        "With weights that change at the gate, delta_l carries R' delta and (eta/N) sum_m (delta^n . delta^m) x^m, "
        "and this is all the difference.",
        "Remark 1, the order it leaves open", Laws.self_excitation, _excites_itself,
    ),
}  # fmt: skip
# Which of them notices what: ten mistakes that an implementation can make. Tests make each of them in each engine.
CAUGHT_BY = {
    "wrong sign": "feedback",
    "old R": "feedback",
    "mu off": "output-error",
    "missing mask": "no-connection",
    "latch skipped": "shutdown",
    "gate at the wrong phase": "output-error",
    "off-by-one pool": "steady-state",
    "transposed R": "feedback",
    "gain missing in the feedback": "feedback",
    "decay on the wrong weight": "feedback-hebbian",
}
EXACT = ("output-error", "shutdown", "same-increment", "no-connection")  # nothing is added up in another order


def check_laws(
    cases: Iterable[Case], variants: Sequence[Variant], seen: Callable[[Case], None] = lambda case: None
) -> list[Claim]:
    """Hold every law against every engine.

    Parameters
    ----------
    cases : iterable of Case
        Networks of up to a few million synapses.
    variants : sequence of Variant
        In float64 and with ideal timing; others are left out: laws are exact.
    seen : callable
        Told of every case that is done.
    """
    engines = [v for v in variants if v.dtype == "float64" and v.ratio is None]
    worst = {name: Worst() for name in LAWS}
    for case in cases:
        for variant in engines:
            if variant.refuses(case.presented):
                continue
            hold(case, variant.name, variant.present(case.presented), worst)
        seen(case)
    return [
        worst[name].claim(name, statement, source, 0.0 if name in EXACT else TOLERANCES["float64"].relative)
        for name, (statement, source, _, _) in LAWS.items()
    ]


def hold(case: Case, engine: str, trace: StepTrace, worst: dict[str, Worst]) -> None:
    """Hold every law that applies against one trace."""
    laws = Laws(case.presented, trace)
    for name, (_, _, law, applies) in LAWS.items():
        if applies(case.presented):
            worst[name].see(law(laws), f"{engine} on {case}")

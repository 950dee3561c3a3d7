"""Every rule beside back-propagation: what no figure of either paper shows, on simpnet."""

from sim.experiments.amit import BP, FRFB, ONLY_CIFAR10, SETTINGS, URFB
from sim.experiments.experiment import Axis, Expectation, Experiment, Variant
from sim.experiments.quantities import DEGREES_BELOW_90, DELTA_ANGLE, SIGN_CONCORDANCE

# R at the size of W, so that simpnet learns by them without batch normalisation. A size of its own for each layer
# changes neither the angle of delta in any layer nor its signs.
SCALED = {"feedback_scale": "biotorch"}

RULES = Axis(
    "protocol",
    (
        BP,
        URFB,
        FRFB,
        Variant("uSF scaled", {"rule": "usf", **SCALED}),
        Variant("brSF scaled", {"rule": "brsf", **SCALED}),
        Variant("frSF scaled", {"rule": "frsf", **SCALED}),
        Variant("RndF", {"rule": "rndf"}),
        Variant("DFA", {"rule": "dfa"}),
    ),
)

CONCORDANCE = Experiment(
    name="concordance",
    paper="extension",
    where="section 4.2; Liao and others, section 2",
    title="Angle and signs of the feedback of every rule beside back-propagation",
    outcome=(
        "Amit shows how W and R align (figures 10 and 11), and not what it does to the feedback; Liao and others hold "
        "that its signs decide, and measure none. Here delta of every layer is held against the delta that exact "
        "back-propagation with the same loss has at the same weights, on the same images.",
        "Feedback that agrees by chance has an angle of 90 degrees and half of the signs. DFA, direct feedback "
        "alignment (Nokland, 2016), is in neither paper.",
    ),
    base={**SETTINGS, "net": "simpnet", "concordance": True},
    axes=(ONLY_CIFAR10, RULES),
    figure="curves",
    quantity=DELTA_ANGLE,
    expectations=(
        Expectation(
            "better-than-chance",
            "Learning brings the feedback of every rule within 90 degrees of back-propagation's.",
            "Lillicrap and others (2016), of fixed random feedback",
            ((1, {}),),
            "more",
            DEGREES_BELOW_90,
        ),
        Expectation(
            "urfb-nearer-than-frfb",
            "The feedback of URFB is nearer to back-propagation's than that of FRFB.",
            "as section 4.2 has it of W and R",
            ((1, {"protocol": "FRFB"}), (-1, {"protocol": "URFB"})),
            "more",
        ),
        Expectation(
            "signs-of-urfb",
            "More signs of URFB's feedback are back-propagation's than of FRFB's.",
            "as section 4.2 has it of W and R",
            ((1, {"protocol": "URFB"}), (-1, {"protocol": "FRFB"})),
            "more",
            SIGN_CONCORDANCE,
        ),
        Expectation(
            "signs-of-w-suffice",
            "Feedback made from the signs of W has more signs right than feedback that learns.",
            "Liao and others, section 2",
            ((1, {"protocol": "uSF scaled"}), (-1, {"protocol": "URFB"})),
            "more",
            SIGN_CONCORDANCE,
        ),
    ),
    open_points=(
        "uSF, brSF and frSF are scaled to the size of W, as BioTorch does: unscaled they explode without batch "
        "normalisation, which simpnet has not.",
    ),
)

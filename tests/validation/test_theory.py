"""Theorems 1 and 2 within and outside their hypotheses, figure 12, and the command that shows them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from network.errors import BadInput
from sim.cli import main
from validation.claims import all_pass
from validation.theory.figure12 import Settings, continuous, simulate
from validation.theory.figure12_claims import figure12_claims, ordering
from validation.theory.general import GENERAL_R0, NONZERO_W0, Loss, Start, confirmed, draw, log_errors, losses, search
from validation.theory.hypotheses import (
    draw_any,
    draw_epsilons,
    draw_explicit,
    draw_theorem_1,
    draw_theorem_2,
    explicit_bound,
    theorem_1,
    theorem_2,
)
from validation.theory.ladder import Systems, climb
from validation.theory.margins import margin, margins, margins_of
from validation.theory.outside import map_of_second, outside_theorem_1
from validation.theory.theorem_claims import check_explicit, check_theorem_1, check_theorem_2, increases
from validation.tolerances import THEORY

DRAWS = 200


@pytest.fixture(scope="module")
def runs():
    return [simulate(Settings(), seed) for seed in range(2)]


def systems(lambda_T, *lambda_R):
    return Systems(np.array([lambda_T]), np.array(lambda_R)[:, None])


def test_predicates_speak_where_the_theorems_do():
    assert theorem_1(systems(0.5, 0.05)).all()
    assert not theorem_1(systems(0.5, 0.06)).any()  # not much smaller than lambda_T
    assert not theorem_1(systems(1.5, 0.05)).any()
    assert theorem_2(systems(0.9, 0.06, 0.04), 1.0).all()
    assert not theorem_2(systems(0.9, 0.04, 0.04), 1.0).any()
    assert theorem_2(systems(0.9, 0.0401, 0.04), 0.0).all()  # the ratio's bound is 1 for FRFB
    assert not theorem_2(systems(0.9, 0.0401, 0.04), 0.1).any()
    assert explicit_bound(systems(1.0, 0.8, 0.6), 1.0).all()
    assert not explicit_bound(systems(1.0, 2.0, 1.6), 1.0).any()


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_the_explicit_bound_does_not_change_with_the_scale_as_the_papers_does(scale):
    rng = np.random.default_rng(0)
    drawn = draw_any(rng, 500, 3)
    scaled = Systems(drawn.lambda_T * scale**3, drawn.lambda_R * scale)
    assert (explicit_bound(drawn, 1.0) == explicit_bound(scaled, 1.0)).all()
    drawn = draw_theorem_2(rng, 500)
    assert not theorem_2(Systems(drawn.lambda_T * scale**3, drawn.lambda_R * scale), 1.0).all()


@pytest.mark.parametrize(
    ("drawn", "meets"),
    [
        (draw_theorem_1, theorem_1),
        (draw_theorem_2, lambda found: theorem_2(found, 1.0)),
        (draw_explicit, lambda found: explicit_bound(found, 1.0)),
    ],
)
def test_draws_meet_their_hypotheses(drawn, meets):
    assert meets(drawn(np.random.default_rng(5), 2000)).all()


def test_epsilons_are_apart_and_reach_from_0_to_1():
    epsilon = draw_epsilons(np.random.default_rng(0), 1000)
    assert (np.diff(epsilon, axis=0) >= 0.05 - 1e-12).all()
    assert (epsilon[0] == 0).all() and (epsilon[-1] == 1).all()


@pytest.mark.parametrize("check", [check_theorem_1, check_theorem_2, check_explicit])
def test_theorems_hold_within_their_hypotheses(check):
    checked = check(7, DRAWS)
    assert all_pass(checked.claims)
    assert len(checked.margins.systems) == DRAWS


def test_lambda_3_decreases_though_theorem_2_says_it_increases():
    checked = check_theorem_2(7, 50)
    claim = next(claim for claim in checked.claims if claim.name == "Theorem 2: lambda_3")
    assert claim.passed is None and claim.measured == "smaller at the end in 50 of 50"
    assert not increases("lambda_3", "", "", checked.margins, "lambda_3").passed


def test_outside_the_ratio_lambda_2_decreases_and_the_rate_still_increases():
    found = margins(systems(1.0, 0.05, 0.5), np.array([[0.0], [1.0]]))
    assert not theorem_2(found.systems, 1.0).any()
    assert found.worst("lambda_2")[0] < -0.1
    assert found.worst("rate")[0] > THEORY["margin"].relative
    assert not increases("lambda_2", "", "", found, "lambda_2").passed


def test_margins_see_a_ladder_whose_epsilons_are_exchanged():
    ladder = climb(draw_theorem_1(np.random.default_rng(0), 5), np.array([0.0, 1.0]))
    exchanged = replace(ladder, lam=ladder.lam[:, :, ::-1], log_error=ladder.log_error[:, ::-1])
    assert margins_of(ladder).worst("rate")[0] > 0
    assert margins_of(exchanged).worst("rate")[0] < 0
    assert margins_of(exchanged).worst("error")[0] < 0
    assert margins_of(exchanged).defect.max() > 0.1  # and (16) with the wrong epsilon does not hold


def test_a_margin_is_relative_and_per_unit_of_epsilon():
    values, epsilon = np.array([[2.0, 1.0], [4.0, 0.5]]), np.array([[0.0, 0.0], [0.25, 1.0]])
    assert margin(values, epsilon) == pytest.approx(np.array([[2.0, -0.5]]))


def test_systems_of_the_wrong_sign_are_refused():
    with pytest.raises(ValueError, match="positive"):
        systems(1.0, -0.1)


def test_lambda_2_increases_wherever_theorem_2_or_the_explicit_bound_speak():
    ratio, third, least = map_of_second(15)
    grid = Systems(np.ones(least.size), np.stack([(third[:, None] * ratio).ravel(), np.repeat(third, len(ratio))]))
    increasing = least.ravel() > THEORY["margin"].relative
    assert (increasing | ~np.asarray(theorem_2(grid, 1.0), dtype=bool)).all()
    assert (increasing | ~np.asarray(explicit_bound(grid, 1.0), dtype=bool)).all()
    assert 0.2 < increasing.mean() < 0.8


@pytest.mark.parametrize(
    ("start", "loss", "behind"),
    [(GENERAL_R0, Loss(0, 0.0, 0.25, 8.6), 0.303), (NONZERO_W0, Loss(0, 0.0, 1.0, 10.0), 9.44)],
)
def test_counterexamples_outside_the_hypotheses_are_what_they_were(start, loss, behind):
    assert confirmed(start, loss) == pytest.approx(behind, rel=1e-2)


def test_back_propagation_stays_at_the_saddle():
    log_error = log_errors(NONZERO_W0, np.array([0.0, 30.0]))[-1]
    assert np.exp(log_error[-1]) == pytest.approx(1 / 1.04**2, rel=1e-3)  # e = 1 from e = 1 + .04
    assert (log_error[:-1] < -20).all()


def test_a_loss_is_found_where_a_larger_epsilon_is_behind():
    log_error = np.zeros((3, 4, 2))
    log_error[1:, :, 0] = [[-1, -2, -3, -4], [-2, -3, -2.5, -5]]
    log_error[1:, :, 1] = [[-1, -2, -3, -4], [-2, -3, -4, -5]]
    first, second = losses(log_error, np.array([0.0, 1.0, 2.0]))
    assert first == Loss(0.5, 0.25, 0.5, 2.0)
    assert second.behind < 0


def test_general_feedback_loses_with_three_layers_and_was_not_seen_to_with_two():
    rng = np.random.default_rng(0)
    found = search(rng, (2, 2, 2, 2), 40)
    assert found.losing > 0
    assert found.confirmed == pytest.approx(found.worst.behind, rel=1e-3)
    assert search(rng, (2, 2, 2), 40).losing == 0


def test_networks_with_weights_at_the_start_differ_from_those_without():
    start = draw(np.random.default_rng(0), (2, 3, 2), 5, W_scale=0.1)
    assert start.W0 is not None and [W.shape for W in start.W0] == [(5, 3, 2), (5, 2, 3)]
    times = np.array([0.0, 3.0])
    assert not np.allclose(log_errors(start, times), log_errors(Start(start.T, start.R0), times), rtol=1e-3)


def test_outside_theorem_1_only_weights_at_the_start_break_it():
    claims = {claim.name: claim for claim in outside_theorem_1(0, 20, 20)}
    assert claims["k = 2: any lambda_R"].measured == "0 of 20"
    assert claims["k = 2: general R(0)"].measured == "0 of 60"
    assert claims["k = 2: W(0) not 0"].measured != "0 of 60"


def test_figure_12_is_as_the_paper_says(runs):
    claims = figure12_claims(runs)
    assert all_pass(claims)
    assert [claim.measured for claim in claims if claim.name == "figure 12: ordering"] == ["2 of 2 runs"]


def test_figure_12_starts_where_the_paper_does(runs):
    run = runs[0]
    assert run.log_error.shape == (5, 1001) and run.correlation.shape == (4, 3, 1001)
    assert np.ptp(run.log_error[1:, 0]) == 0  # W = 0, so that e = |T|
    assert run.log_error[0, 0] != run.log_error[1, 0]
    assert np.isnan(run.correlation[:, :, 0]).all()


def test_the_ordering_claim_sees_runs_in_another_order(runs):
    broken = replace(runs[0], log_error=runs[0].log_error[[0, 1, 3, 2, 4]])
    assert ordering(broken)[0] < -1
    failing = {claim.name for claim in figure12_claims([broken]) if claim.passed is False}
    assert failing == {"figure 12: ordering"}


def test_smaller_steps_come_closer_to_the_differential_equations():
    settings = Settings(sizes=(4, 6, 6, 3), target_sd=0.6, feedback_sd=0.6)
    apart = []
    for step, iterations in ((0.02, 100), (0.01, 200)):
        changed = replace(settings, step=step, iterations=iterations)
        times, log_error = continuous(changed, 0, points=11)
        stepped = simulate(changed, 0).log_error[1:, np.round(times).astype(int)]
        apart.append(np.abs(stepped - log_error).max())
    assert apart[1] == pytest.approx(apart[0] / 2, rel=0.2)  # Euler's method is of order 1


def test_too_large_a_step_is_refused():
    with pytest.raises(BadInput, match="use a smaller step"):
        simulate(Settings(step=0.2), 0)


def test_the_command_writes_report_figures_and_json(tmp_path, capsys):
    out = tmp_path / "theory"
    flags = ["--draws", "40", "--seed", "2", "--out", str(out), "--quiet", "--json"]
    assert main(["theory", "theorem1", *flags]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((out / "theory.json").read_text())
    assert shown["passed"] and {claim["verdict"] for claim in shown["claims"]} == {"holds", "reported"}
    assert (out / "theorem1.png").stat().st_size > 10_000 and (out / "counterexamples.png").exists()
    page = (out / "report.html").read_text()
    assert "hebb theory theorem1 --draws 40 --runs 3 --seed 2" in page and "Theorem 1: rate" in page


def test_the_command_fails_where_a_claim_does(tmp_path, capsys):
    # so slow that the errors are not negligible after 1000 iterations
    flags = ["--runs", "1", "--step", "0.0001", "--out", str(tmp_path), "--quiet"]
    assert main(["theory", "fig12", *flags]) == 1
    assert "figure 12: negligible error" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--draws", "0"], "--draws 0: expected at least 1"),
        (["--runs", "-1"], "--runs -1: expected at least 1"),
        (["--step", "0"], "--step 0: expected a number above 0"),
        (["--step", "nan"], "--step nan: expected a number above 0"),
        (["fig13"], "did you mean 'fig12'"),
        (["fig12", "--step", "0.2"], "use a smaller step"),
    ],
)
def test_bad_input_is_one_line(flags, words, tmp_path, capsys):
    assert main(["theory", *flags, "--out", str(tmp_path), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1

"""Grids of runs in two phases: the first once, the second after it, and what the page says about them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from network.errors import BadInput
from sim.cli import main
from sim.experiments import EXPERIMENTS
from sim.experiments.experiment import Axis, Experiment, First, Variant
from sim.experiments.runs import plan_runs, read_results
from sim.grid import Place, run_grid
from sim.grid_budget import Cost, plan
from sim.grid_job import DIVERGED, Job, attempts, epochs_done, finish
from sim.run_folder import CONFIG, WEIGHTS, read_weights
from tests.sim.test_grid import assert_same_runs, folder_of

TIED, UNTIED = "Conv 2 3x3; Conv 2 3x3; Output", "Conv 2 3x3; Local 2 3x3; Output"
EXAMPLE = Experiment(
    name="phases",
    paper="none",
    where="Figure 0",
    title="Tied and untied",
    outcome=("None.",),
    base={"epochs": 9, "batch_size": 20, "engine": "reference", "dtype": "float64", "device": "cpu"},
    axes=(
        Axis("data", (Variant("noise", {"data": "noise"}),)),
        Axis(
            "net",
            (
                Variant("tied", {"net": TIED}),
                Variant(
                    "untied",
                    {"net": UNTIED, "keep_layers": "1", "freeze": True},
                    first=First({"net": TIED, "keep_layers": None, "freeze": None}, 3, "the tied network"),
                ),
            ),
        ),
    ),
    figure="bars",
    seeds=2,
)


@pytest.fixture
def noise(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.npz"
    np.savez(path, images=rng.random((60, 1, 4, 4)), labels=np.arange(60) % 3)
    return str(path)


def untied_runs(noise, seeds=(0,), **options):
    return [run for run in plan_runs(EXAMPLE, seeds, datasets=[noise], **options) if run.first]


def events(path):
    return [entry["event"] for entry in attempts(path)]


def test_the_second_phase_comes_after_the_first_and_both_are_made_once(noise, tmp_path):
    (run,) = untied_runs(noise)
    job = run.job(tmp_path, 2)
    assert job.before and job.before.config.epochs == 2 and job.before.config.net == TIED
    assert [outcome.status for outcome in run_grid([job, job], Place(), progress=False)] == ["finished"] * 2
    theirs, found = (read_weights(tmp_path / "runs" / each / WEIGHTS) for each in (job.before.folder, job.folder))
    assert (theirs[1], found[1]) == (2, 2)
    assert np.array_equal(found[0].W[1], theirs[0].W[1]) and found[0].W[2].ndim == 6
    run_grid([job], Place(), progress=False)
    assert events(job.folder) == events(job.before.folder) == ["began", "finished"]
    (result,) = read_results([run], tmp_path, 2)
    assert len(result.rows) == 2


def test_the_first_phase_is_as_long_as_the_second_up_to_the_papers_or_as_it_is_told(noise, tmp_path):
    (run,) = untied_runs(noise)
    jobs = [run.job(tmp_path, epochs) for epochs in (1, 2, 3, 9)]
    assert [job.before.config.epochs for job in jobs if job.before] == [1, 2, 3, 3]
    assert len({job.folder for job in jobs}) == 3  # with as long a first phase, more epochs are the same run
    (told,) = untied_runs(noise, first_epochs=7)
    before = told.job(tmp_path, 2).before
    assert before and before.config.epochs == 7
    with pytest.raises(BadInput, match="no run of fig5 has a first phase"):
        plan_runs(EXPERIMENTS["fig5"], [0], datasets=[noise], first_epochs=7)


def test_a_grid_that_has_moved_is_still_the_same(noise, tmp_path):
    (run,) = untied_runs(noise)
    run_grid([run.job(tmp_path / "here", 1)], Place(), progress=False)
    (tmp_path / "here").rename(tmp_path / "there")
    job = run.job(tmp_path / "there", 1)
    assert finish(job).status == "finished" and events(job.folder) == ["began", "finished"]


def test_a_second_phase_that_was_stopped_goes_on_without_the_first(noise, tmp_path):
    (run,) = untied_runs(noise, first_epochs=1)
    job = run.job(tmp_path, 1)
    finish(job)
    assert job.before
    for path in sorted((tmp_path / "runs" / job.before.folder).iterdir()):
        path.unlink()
    longer = run.job(tmp_path, 3)
    assert longer.folder == job.folder
    run_grid([longer], Place(), progress=False)
    assert epochs_done(job.folder) == 3 and not (tmp_path / "runs" / job.before.folder / CONFIG).exists()


def test_processes_wait_for_the_first_phase_of_another(noise, tmp_path):
    """Two runs that start from the same one, in two processes."""
    (run,) = untied_runs(noise, first_epochs=30)
    assert run.config
    other = replace(run, config=replace(run.config, eta=0.2))
    jobs = [each.job(tmp_path, 2) for each in (run, other)]
    assert jobs[0].before == jobs[1].before and jobs[0].before
    assert [each.status for each in run_grid(jobs, Place(workers=2), progress=False)] == ["finished"] * 2
    assert events(jobs[0].before.folder) == ["began", "finished"]


def test_a_cluster_makes_the_runs_in_two_phases_that_this_process_makes(noise, tmp_path, cluster):
    """Four second phases, two from each of two first ones, on two workers over TCP."""
    runs = untied_runs(noise, seeds=(0, 1))
    grids = {}
    for where, place in (("alone", Place()), ("cluster", Place(scheduler=cluster))):
        grids[where] = [
            replace(run, config=replace(run.config, eta=eta)).job(tmp_path / where, 2)
            for run in runs
            if run.config
            for eta in (0.1, 0.2)
        ]
        outcomes = run_grid(grids[where], place, progress=False)
        assert [(each.status, each.epochs) for each in outcomes] == [("finished", 2)] * 4
    for one, other in zip(grids["alone"], grids["cluster"], strict=True):
        assert_same_runs(folder_of(one), folder_of(other))
        assert_same_runs(folder_of(one.before), folder_of(other.before))
        assert events(other.folder) == events(other.before.folder) == ["began", "finished"]


def test_a_first_phase_that_cannot_be_made_is_the_reason_of_the_second(noise, tmp_path):
    (run,) = untied_runs(noise)
    late = run.job(tmp_path, 1, until=0.0)
    assert finish(late).status == "late"
    job = run.job(tmp_path, 1)
    assert job.before
    finish(job.before)
    (tmp_path / "runs" / job.before.folder / DIVERGED).write_text("layer 1: not finite\n")
    outcome = finish(job)
    assert outcome.status == "failed" and "layer 1: not finite" in outcome.message and not job.begun


def test_a_first_phase_costs_its_epochs_and_no_more():
    costs = [Cost(1.0, 0, 0, most=3), Cost(2.0, 0, 0)]
    assert plan(costs, 9.0, 1, 100) == (3, 1)
    assert plan(costs, 13.0, 1, 100) == (5, 1)


@pytest.mark.parametrize("how", [["--epochs", "2"], ["--budget", "1h"]])
def test_the_page_states_the_phases_and_their_commands(noise, tmp_path, monkeypatch, how):
    figure = "alignment" if "--budget" in how else "bars"
    monkeypatch.setitem(EXPERIMENTS, "phases", replace(EXAMPLE, base={**EXAMPLE.base, "epochs": 2}, figure=figure))
    out = tmp_path / "out"
    command = ["reproduce", "phases", "--datasets", noise, "--workers", "1", "--quiet", "--out", str(out), *how]
    assert main([*command, "--json", str(tmp_path / "found.json")]) == 0
    page = (out / "phases.html").read_text()
    assert "In two phases: noise, untied. First 2 epochs of the tied network" in page
    assert "--keep-layers 1 --freeze --" in page and "-epochs2 &amp;&amp; hebb train" in page
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["epochs"], found["runs"]) == (2, 4)
    made = {path.name: events(path) for path in (out / "runs").iterdir()}
    assert main(command) == 0
    assert {path.name: events(path) for path in (out / "runs").iterdir()} == made


def test_figures_9_and_11_run_deepnet_s_untied_and_share_its_runs(tmp_path):
    folders = []
    for name in ("fig9", "fig11"):
        runs = [run for run in plan_runs(EXPERIMENTS[name], [0], datasets=["digits"]) if run.first]
        assert all(run.config and run.config.freeze and run.first and run.first.net == "deepnet_s" for run in runs)
        folders.append({run.folder(tmp_path, 200).name for run in runs if run.config and "frfb" in run.config.rule})
        assert not any(run.point.needs for run in runs)
    assert folders[0] == folders[1]


def test_a_job_travels_with_the_one_before_it(noise, tmp_path):
    import pickle  # as Dask and processes send it

    (run,) = untied_runs(noise)
    job = run.job(tmp_path, 1)
    again: Job = pickle.loads(pickle.dumps(job))
    assert again == job

"""The experiments are whole: cells that claims name exist, settings are settings, numbers are the papers'."""

import numpy as np
import pytest

from network.errors import BadInput
from network.presets import PRESETS
from network.spec import NetworkSpec
from sim.config import FIELDS, make_config
from sim.data.load import DATASETS
from sim.experiments import AMIT, EXPERIMENTS, LIAO, find_experiment
from sim.experiments.data_sets import SOURCES, locate
from sim.experiments.experiment import Axis, Expectation, Experiment, Variant
from sim.experiments.quantities import BEST_VALIDATION_ERROR, LAST_TEST_ERROR, MEAN_CORRELATION
from sim.experiments.runs import Planned, Result, by_cell, plan_runs, read_results
from sim.grid import Place, run_grid
from sim.train import prepare


def cells_of(experiment):
    return list(dict.fromkeys(point.cell for point in experiment.points()))


def test_every_figure_and_table_of_both_papers_is_there():
    assert {e.name for e in AMIT} == {f"fig{n}" for n in range(4, 12)}
    assert {e.name for e in LIAO} == {f"table{n}" for n in range(2, 6)}


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_claims_and_numbers_are_about_cells_of_the_grid(experiment):
    cells = cells_of(experiment)
    for expectation in experiment.expectations:
        for _, terms in experiment.expand(expectation, cells):
            assert all(cell in cells for _, cell in terms)
        names = {axis.name: axis.labels for axis in experiment.shown_axes}
        assert all(label in names[axis] for _, where in expectation.contrast for axis, label in where.items())
    assert set(experiment.numbers) <= set(cells)
    assert all(0 <= error <= 1 for error in experiment.numbers.values())


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_settings_are_those_of_a_run(experiment):
    for point in experiment.points():
        if point.needs:
            continue
        assert set(point.settings) <= set(FIELDS)
        make_config(point.settings)


def test_base_settings_are_the_papers():
    assert all((e.base["epochs"], e.base["batch_size"], e.base["eta"]) == (1000, 500, 0.1) for e in AMIT)
    assert all((e.base["epochs"], e.base["batch_size"]) == (65, 100) for e in LIAO)


@pytest.mark.parametrize(
    ("table", "cell", "percent"),
    [
        ("table2", ("CIFAR", "uSF"), 90.00),
        ("table2", ("TIMIT80", "frSF+BN+BM"), 24.92),
        ("table3", ("MNIST", "brSF-100%+BN+BM"), 7.87),
        ("table3", ("SVHN", "frSF-25%+BN+BM"), 11.50),
        ("table4", ("CIFAR", "RndF+BN"), 24.35),
        ("table4", ("STL10", "SGD top"), 74.69),
        ("table5", ("Cal101", "uSF+BN+BM3"), 62.59),
    ],
)
def test_printed_numbers_stand_at_their_cells(table, cell, percent):
    assert EXPERIMENTS[table].numbers[cell] == pytest.approx(percent / 100)


def test_tables_are_complete():
    for experiment in LIAO:
        assert set(experiment.numbers) == set(cells_of(experiment))


def test_every_data_set_is_read_by_name_or_says_how_to_get_it(tmp_path):
    for experiment in EXPERIMENTS.values():
        for point in experiment.points():
            name = point.settings["data"]
            assert name in DATASETS or name in SOURCES
    for name in set(SOURCES) - set(DATASETS):
        data, missing = locate(name, str(tmp_path))
        assert data is None and SOURCES[name].get in missing and f"{name}.npz" in missing


def test_whoever_has_the_files_runs_the_row(tmp_path, monkeypatch):
    name = next(iter(set(SOURCES) - set(DATASETS)))
    (tmp_path / name).mkdir()
    assert locate(name, str(tmp_path)) == (str(tmp_path / name), "")
    monkeypatch.setenv("HEBB_DATA", str(tmp_path))
    assert locate(name, None) == (str(tmp_path / name), "")


def test_other_data_take_the_papers_settings():
    points = EXPERIMENTS["fig5"].points(["digits"], {"batch_size": 50})
    assert len(points) == 6
    assert {point.cell[0] for point in points} == {"digits"}
    assert all(point.settings["net"] == "simpnet" and point.settings["batch_size"] == 50 for point in points)
    assert [p.cell[0] for p in EXPERIMENTS["fig4"].points(["cifar100"])] == ["CIFAR100"] * 3
    with pytest.raises(BadInput, match="mnist"):
        EXPERIMENTS["table2"].points(["digits"])  # which network would it have?


def test_untied_networks_are_the_tied_ones_with_local_layers():
    nets = {point.settings["net"] for point in EXPERIMENTS["fig9"].points()}
    assert {net.replace("Local ", "Conv ") for net in nets} == {*nets, PRESETS["simpnet"], PRESETS["deepnet_s"]} - {
        net for net in nets if "Local" in net
    }


def test_unknown_experiments_are_refused_with_the_closest():
    with pytest.raises(BadInput, match="fig5"):
        find_experiment("fgi5")


EXAMPLE = Experiment(
    name="example",
    paper="none",
    where="Figure 0",
    title="",
    outcome=(),
    base={"epochs": 2, "batch_size": 20, "net": "Full 4; Output", "engine": "reference", "dtype": "float64"},
    axes=(
        Axis("data", (Variant("noise", {"data": "noise"}),)),
        Axis("protocol", (Variant("URFB", {"rule": "urfb"}), Variant("later", {"rule": "urfb"}, needs="a thing"))),
        Axis("rate", (Variant("slow", {"eta": 0.01}), Variant("fast", {"eta": 0.5})), best_of=True),
    ),
    figure="bars",
)


@pytest.fixture
def noise(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.npz"
    np.savez(path, images=rng.random((60, 1, 4, 4)), labels=np.arange(60) % 3)
    return str(path)


@pytest.mark.parametrize("experiment", LIAO, ids=[each.name for each in LIAO])
def test_every_model_of_the_tables_can_be_trained(experiment, noise):
    """Rule, normalisation, update, schedule and clamped layers go together; on a small network, without training."""
    made = {}
    for point in experiment.points(["mnist"]):
        made[point.cell] = {**point.settings, "net": "Full 5 ReLU; Output", "data": noise, "device": "cpu"}
    assert len(made) == len(experiment.shown_axes[1].variants)
    for cell, settings in made.items():
        _, spec, how = prepare(make_config(settings))
        assert how.update.momentum == 0.9 and how.update.over_batch == "sum"
        assert bool(how.update.manhattan) == ("BM" in cell[1])
        assert bool(spec.weighted[0].synaptic.norm) == ("BN" in cell[1])


SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "cifar100": (3, 32, 32), "svhn": (3, 32, 32)}


def test_every_network_fits_its_images():
    for experiment in EXPERIMENTS.values():
        for net, data in {(point.settings["net"], point.settings["data"]) for point in experiment.points()}:
            shape = (1845, 1, 1) if data == "timit80" else SHAPES.get(data, (3, 119, 119))
            NetworkSpec.parse(net, shape, 10)


def test_runs_are_planned_read_back_and_the_best_of_an_axis_stands_for_it(tmp_path, noise):
    runs = plan_runs(EXAMPLE, range(2), datasets=[noise])
    assert [run.missing for run in runs if run.config is None] == ["not there yet: a thing"] * 4
    made = [run for run in runs if run.config is not None]
    assert len(made) == 4 and all(run.chance == pytest.approx(2 / 3) for run in made)
    assert read_results(made, tmp_path, 2) == []
    jobs = [run.job(tmp_path, 2) for run in made]
    run_grid(jobs, Place(), progress=False)
    results = read_results(made, tmp_path, 2)
    assert len(results) == 4
    for seed, value in by_cell(results, LAST_TEST_ERROR)["noise", "URFB"].items():
        assert value == min(result.rows[-1]["test_error"] for result in results if result.run.seed == seed)
    assert all(len(result.rows) == 1 for result in read_results(made, tmp_path, 1))
    assert read_results(made, tmp_path, 3) == []  # less training is no result of more


def test_missing_data_are_a_row_and_not_an_error(tmp_path):
    runs = plan_runs(EXPERIMENTS["fig10"], [0], data_dir=str(tmp_path))
    assert all(run.config is None and "no data" in run.missing for run in runs)


def test_changes_that_no_run_can_have_are_refused():
    with pytest.raises(BadInput, match="--set eta"):
        plan_runs(EXAMPLE, [0], changes={"eta": "fast"})
    with pytest.raises(BadInput, match="batch_size"):
        plan_runs(EXAMPLE, [0], changes={"batchsize": 5})


def row(**values):
    return {"test_error": 0.5, "validation_error": 0.4, "alignment": [0.0, 0.2, 0.6], **values}


def test_quantities():
    rows = [row(validation_error=0.3), row(test_error=0.45)]
    assert BEST_VALIDATION_ERROR.of(rows) == 0.3
    assert LAST_TEST_ERROR.of(rows) == 0.45
    assert MEAN_CORRELATION.of(rows) == pytest.approx(0.4)
    assert MEAN_CORRELATION.of([row(alignment=[1.0, None])]) is None


def test_a_run_that_diverged_counts_as_guessing():
    run = Planned(EXAMPLE.points()[0], 0, None, chance=0.9)
    assert Result(run, [row()], "layer 2: not finite").value(LAST_TEST_ERROR) == 0.9
    assert Result(run, [], "layer 2: not finite").value(MEAN_CORRELATION) is None


def test_an_expectation_that_names_no_single_cell_is_a_mistake_of_the_experiment():
    bad = Expectation("bad", "", "", ((1, {"protocol": "URFB"}), (-1, {"data": "noise"})), "more")
    with pytest.raises(ValueError, match="no single cell"):
        list(EXAMPLE.expand(bad, cells_of(EXAMPLE)))

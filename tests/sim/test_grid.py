"""A grid makes every run once, wherever it runs and whoever dies meanwhile."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from network.errors import BadInput
from sim.config import TrainConfig
from sim.grid import Place, folder_name, local_place, run_grid
from sim.grid_budget import Cost, parse_budget, plan
from sim.grid_job import ATTEMPTS, DIVERGED, Job, attempts, epochs_done, finish, seconds_per_epoch
from sim.run_folder import CONFIG, METRICS, WEIGHTS, RunFolder, read_weights, weights_bytes
from sim.train import start

SMALL = TrainConfig(net="Full 5; Output", epochs=2, batch_size=20, device="cpu", dtype="float64", engine="reference")


def jobs_in(tmp_path, count, under=".", **changes):
    """Runs on a few images of noise, with seeds 0, 1, ...; in the folder `under` of `tmp_path`."""
    data = tmp_path / "images.npz"
    rng = np.random.default_rng(0)
    np.savez(data, images=rng.random((60, 1, 4, 4)), labels=np.arange(60) % 3)
    configs = [replace(SMALL, data=str(data), seed=seed, **changes) for seed in range(count)]
    return [Job.of(tmp_path / under / folder_name(config), config) for config in configs]


def folder_of(job):
    return Path(job.folder)


def saved(folder):
    """A run's weights to the last bit. The order of a safetensors file's header is left to chance."""
    weights, epoch = read_weights(folder / WEIGHTS)
    return weights_bytes(weights, epoch)[-sum(w.nbytes for w in (*weights.W.values(), *weights.R.values())) :], epoch


def assert_same_runs(one, other):
    """Weights to the last bit, and all that was measured but the speed."""
    assert saved(one) == saved(other)
    rows, others = ([{**row, "images_per_second": 0} for row in RunFolder(p).read_metrics()] for p in (one, other))
    assert rows == others


def events(job):
    return [entry["event"] for entry in attempts(job.folder)]


def test_a_finished_run_is_never_run_again(tmp_path):
    (job,) = jobs_in(tmp_path, 1)
    assert finish(job).status == "finished"
    before = (folder_of(job) / WEIGHTS).stat().st_mtime_ns
    assert finish(job).epochs == 2
    assert run_grid([job, job], Place(), progress=False) == [finish(job)] * 2
    assert (folder_of(job) / WEIGHTS).stat().st_mtime_ns == before
    assert events(job) == ["began", "finished"]
    seconds = seconds_per_epoch(job.folder)
    assert seconds is not None and seconds > 0


def test_a_run_goes_on_to_the_bits_of_one_that_never_stopped(tmp_path):
    (job,) = jobs_in(tmp_path, 1)
    finish(job)
    assert finish(Job.of(job.folder, replace(job.config, epochs=4))).epochs == 4
    whole = start(replace(job.config, epochs=4), tmp_path / "whole", progress=False)
    assert_same_runs(folder_of(job), whole.folder)


def test_a_job_that_comes_too_late_is_not_begun_and_what_is_done_is_done(tmp_path):
    first, second = jobs_in(tmp_path, 2)
    finish(first)
    outcomes = run_grid([replace(job, until=time.time() - 1) for job in (first, second)], Place(), progress=False)
    assert [outcome.status for outcome in outcomes] == ["finished", "late"]
    assert events(second) == []


def test_what_a_run_left_before_it_had_a_config_is_cleared_away(tmp_path):
    (job,) = jobs_in(tmp_path, 1)
    finish(job)
    folder = folder_of(job)
    first = saved(folder)
    (folder / CONFIG).unlink()
    assert finish(job).status == "finished"
    assert saved(folder) == first


def test_a_folder_with_another_run_is_left_alone(tmp_path):
    (job,) = jobs_in(tmp_path, 1)
    finish(job)
    outcome = finish(Job.of(job.folder, replace(job.config, eta=0.2)))
    assert outcome.status == "failed"
    assert "eta 0.1, not 0.2" in outcome.message
    assert finish(job).status == "finished"


def test_a_damaged_run_fails_with_the_file_named_and_the_others_go_on(tmp_path):
    first, second = jobs_in(tmp_path, 2)
    finish(first)
    (folder_of(first) / WEIGHTS).write_bytes(b"nothing")
    failed, fine = run_grid([first, second], Place(), progress=False)
    assert (failed.status, fine.status) == ("failed", "finished")
    assert WEIGHTS in failed.message


def test_a_run_that_diverged_is_a_result_and_stays_one(tmp_path):
    (job,) = jobs_in(tmp_path, 1, eta=1e9)
    assert finish(job).status == "diverged"
    assert finish(job).status == "diverged"
    assert events(job) == ["began", "diverged"]
    assert (folder_of(job) / DIVERGED).read_text().strip() == finish(job).message


def test_folders_are_named_after_all_settings_but_those_that_may_change():
    assert folder_name(SMALL) == folder_name(replace(SMALL, epochs=9, device="auto", data_dir="/elsewhere"))
    others = [replace(SMALL, seed=1), replace(SMALL, eta=0.2), replace(SMALL, net="Full 6; Output")]
    assert len({folder_name(config) for config in [SMALL, *others]}) == 4
    assert folder_name(TrainConfig(rule="bp")).startswith("simpnet-bp-digits-seed0-")


def test_processes_make_the_runs_that_this_one_makes(tmp_path):
    alone, together = jobs_in(tmp_path, 3, "alone"), jobs_in(tmp_path, 3, "together")
    run_grid(alone, Place(), progress=False)
    outcomes = run_grid(together, Place(workers=2), progress=False)
    assert [outcome.folder for outcome in outcomes] == [job.folder for job in together]
    for one, other in zip(alone, together, strict=True):
        assert_same_runs(
            tmp_path / "alone" / folder_name(one.config), tmp_path / "together" / folder_name(other.config)
        )


def test_a_killed_process_is_replaced_and_its_run_goes_on(tmp_path):
    jobs = jobs_in(tmp_path, 4, epochs=60)

    def kill_one():
        while True:
            for job in jobs:
                done = attempts(job.folder)
                if len(done) == 1 and done[0]["event"] == "began" and 2 <= epochs_done(job.folder) < 40:
                    os.kill(done[0]["process"], signal.SIGKILL)
                    return
            time.sleep(0.005)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    outcomes = run_grid(jobs, Place(workers=2), progress=False)
    killer.join(1)
    assert not killer.is_alive()
    assert [outcome.status for outcome in outcomes] == ["finished"] * 4
    assert sorted(events(job) for job in jobs) == [["began", "began", "finished"]] + [["began", "finished"]] * 3
    (resumed,) = [job for job in jobs if len(events(job)) == 3]
    assert attempts(resumed.folder)[1]["epoch"] >= 1
    whole = start(resumed.config, tmp_path / "whole", progress=False)
    assert_same_runs(folder_of(resumed), whole.folder)


INTERRUPTED = """
import pickle, sys
from sim.grid import GridInterrupted, Place, run_grid
try:
    run_grid(pickle.load(sys.stdin.buffer), Place(workers=2), progress=False)
except GridInterrupted as stopped:
    print(stopped)
    sys.exit(130)
"""


def test_ctrl_c_ends_the_workers_and_keeps_what_is_done(tmp_path):
    """The signal goes to all processes, as from a terminal, when the first of five runs is done."""
    jobs = jobs_in(tmp_path, 5, epochs=40)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(pickle.dumps(jobs))
    process.stdin.close()
    process.stdin = None
    while not any("finished" in events(job) for job in jobs):
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"Traceback" not in err and b"leaked" not in err
    done = [job for job in jobs if events(job) == ["began", "finished"]]
    assert 1 <= len(done) < 5 and b"of 5 runs are done" in out and b"the same command goes on" in out
    for worker in {entry["process"] for job in jobs for entry in attempts(job.folder)}:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)

    assert [each.status for each in run_grid(jobs, Place(), progress=False)] == ["finished"] * 5
    assert all(events(job) == ["began", "finished"] for job in done)
    begun = [job for job in jobs if events(job) == ["began", "began", "finished"]]
    for job in begun[:1]:
        assert_same_runs(folder_of(job), start(job.config, tmp_path / "whole", progress=False).folder)


def test_two_that_ask_for_one_run_at_a_time_make_it_once(tmp_path):
    pytest.importorskip("fcntl")
    (job,) = jobs_in(tmp_path, 1, epochs=20)
    threads = [threading.Thread(target=finish, args=(job,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events(job) == ["began", "finished"]


def test_progress_counts_the_epochs_of_all_runs(tmp_path, capsys):
    jobs = jobs_in(tmp_path, 3)
    finish(jobs[0])
    run_grid(jobs, Place(), title="fig5")
    last = capsys.readouterr().err.rstrip().splitlines()[-1]
    assert "fig5" in last and "6/6" in last and "3 of 3 runs" in last


def test_a_half_written_line_of_the_record_is_passed_over(tmp_path):
    (job,) = jobs_in(tmp_path, 1)
    finish(job)
    folder = folder_of(job)
    with open(folder / ATTEMPTS, "a") as file:
        file.write('{"event": "beg')
    assert events(job) == ["began", "finished"]
    assert (folder / METRICS).exists()


def test_a_budget_is_a_number_and_a_unit():
    assert [parse_budget(text) for text in ("90s", "10m", "1.5h", "2D")] == [90, 600, 5400, 172800]
    for text in ("10", "m", "0m", "-3m", "ten minutes"):
        with pytest.raises(BadInput, match="90s, 10m"):
            parse_budget(text)


def test_a_budget_buys_all_seeds_one_epoch_before_it_buys_more_epochs():
    costs = [
        Cost(10.0, int(seed == 0), seed) for seed in range(3) for _ in range(4)
    ]  # 4 runs a seed, first epochs done
    assert plan(costs, 40, 2, 1000) == (1, 3)  # 8 runs of 10 s by two
    assert plan(costs, 39, 2, 1000) == (1, 2)
    assert plan(costs, 1, 2, 1000) == (1, 1)
    assert plan(costs, 100, 2, 1000) == (2, 3)
    assert plan(costs, 1e9, 2, 65) == (65, 3)


def test_a_budget_cannot_split_one_run_among_many_workers():
    assert plan([Cost(10.0, 0, 0)], 35, 8, 1000) == (3, 1)


def test_this_machine_has_a_worker_for_every_so_many_processors(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert local_place("cpu", threads=2) == Place(workers=4, threads=2)
    assert local_place("cpu", workers=3) == Place(workers=3)

"""A grid on a Dask cluster over TCP: a lost worker's run goes on from its last finished epoch."""

import os
import signal
import threading
import time

import pytest

from network.errors import BadInput
from sim.grid import Place, run_grid
from sim.grid_job import attempts, epochs_done
from tests.sim.test_grid import assert_same_runs, events, folder_of, jobs_in

pytest.importorskip("distributed", reason='needs a cluster: pip install "hebb[cluster]"')

RUNS, EPOCHS = 24, 10


def test_a_worker_is_killed_and_every_run_is_made_once(cluster, tmp_path):
    assert cluster.startswith("tcp://")
    jobs, alone = jobs_in(tmp_path, RUNS, "cluster", epochs=EPOCHS), jobs_in(tmp_path, RUNS, "alone", epochs=EPOCHS)

    def kill_one():
        """A worker in the middle of a run, when a quarter of the runs is done."""
        while sum(epochs_done(job.folder) == EPOCHS for job in jobs) < RUNS // 4:
            time.sleep(0.01)
        while True:
            for job in jobs:
                done = attempts(job.folder)
                if len(done) == 1 and done[0]["event"] == "began" and 2 <= epochs_done(job.folder) < EPOCHS - 2:
                    os.kill(done[0]["process"], signal.SIGKILL)
                    return
            time.sleep(0.002)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    outcomes = run_grid(jobs, Place(scheduler=cluster), progress=False)
    killer.join(1)
    assert not killer.is_alive()
    assert [(outcome.status, outcome.epochs) for outcome in outcomes] == [("finished", EPOCHS)] * RUNS

    resumed = [job for job in jobs if events(job) != ["began", "finished"]]
    assert [events(job) for job in resumed] == [["began", "began", "finished"]]
    lost, again, _ = attempts(resumed[0].folder)
    assert again["epoch"] >= 1 and again["process"] != lost["process"]
    assert len({entry["process"] for job in jobs for entry in attempts(job.folder)}) == 2

    run_grid(alone, Place(), progress=False)
    for one, other in zip(jobs, alone, strict=True):
        assert_same_runs(folder_of(one), folder_of(other))


def test_no_scheduler_is_one_line(tmp_path):
    from sim.grid_dask import finish_on_cluster

    jobs = jobs_in(tmp_path, 1)
    with pytest.raises(BadInput, match="no scheduler answers"):
        list(finish_on_cluster(jobs, "tcp://127.0.0.1:9", patience=1))

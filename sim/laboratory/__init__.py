"""The timing laboratory: what becomes of the updates, and of learning, where the order of events is not kept."""

from sim.laboratory.bench import Bench
from sim.laboratory.disturbance import Disturbance
from sim.laboratory.measure import measure, run_study, settings_of
from sim.laboratory.studies import STUDIES, Study

__all__ = ["STUDIES", "Bench", "Disturbance", "Study", "measure", "run_study", "settings_of"]

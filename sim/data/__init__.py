"""Labelled images: found, checked, and handed over as uint8."""

from sim.data.dataset import Dataset, Split
from sim.data.load import DATASETS, load_data

__all__ = ["DATASETS", "Dataset", "Split", "load_data"]

"""How large a network in Brian2 is, and what it takes to run it: known before anything is built."""

from dataclasses import dataclass
from math import prod

from network.errors import BadInput
from network.spec import NetworkSpec

MOST_BYTES = 2e9
MOST_SECONDS = 600.0

# Measured with the numpy target, timing 12, one thread: processor time from building to the end of the run, and peak
# memory beyond that of the imports, against what these figures predict:
#   simpnet, 1 image, dt 1 ms:                                  6.4 million synapses, 1.09 GB (1.04), 3.0 to 4.4 s (5.3)
#   Conv 8 3x3; Maxpool 3; Full 20; Output, 10 images, 1 ms:    2.5 million synapses, 0.37 GB (0.46), 2.1 s (4.3)
#   Conv 4 3x3; Maxpool 3; Full 20; Output, 5 digits, 0.1 ms:   17,000 synapses, 0.01 GB (0.00), 7.3 s (10.3)
# Compiling for another target comes on top, minutes, the first time.
BYTES_PER_SYNAPSE = 160
BYTES_PER_UNIT = 400
SECONDS_PER_STEP_AND_OBJECT = 7e-6
SECONDS_PER_STEP_AND_UNIT = 5e-9
SECONDS_PER_SYNAPSE = 4e-7
SECONDS_TO_PREPARE_AN_OBJECT = 1.5e-2
OBJECTS_PER_LAYER, OBJECTS = 20, 50


@dataclass(frozen=True)
class Size:
    """What a network of Brian2 consists of and takes.

    Attributes
    ----------
    units, synapses : int
        Over all images of the batch, the input's and those of pools, drops and SUMs among the units.
    bytes, seconds : float
        Memory, and time to build and run it once.
    """

    units: int
    synapses: int
    bytes: float
    seconds: float

    @classmethod
    def of(cls, spec: NetworkSpec, images: int, steps: int) -> "Size":
        """Estimate a network.

        Parameters
        ----------
        spec : NetworkSpec
        images : int
            In the batch.
        steps : int
            Time steps that it is run for.
        """
        units = images * (prod(spec.input_shape) + sum(node.units for node in spec.nodes))
        synapses = images * synapses_of_image(spec)
        objects = OBJECTS_PER_LAYER * len(spec.weighted) + OBJECTS
        seconds = (
            steps * (objects * SECONDS_PER_STEP_AND_OBJECT + units * SECONDS_PER_STEP_AND_UNIT)
            + synapses * SECONDS_PER_SYNAPSE
            + objects * SECONDS_TO_PREPARE_AN_OBJECT
        )
        return cls(units, synapses, units * BYTES_PER_UNIT + synapses * BYTES_PER_SYNAPSE, seconds)

    def check(self, unchecked: bool) -> None:
        """Refuse what would take more than 2 GB or 10 minutes, unless `unchecked`.

        Raises
        ------
        BadInput
            With the estimate.
        """
        if not unchecked and (self.bytes > MOST_BYTES or self.seconds > MOST_SECONDS):
            raise BadInput(
                f"engine 'brian': {self}; present fewer images, take a larger dt or a smaller network, "
                f"use --engine event, or --unchecked to run it all the same"
            )

    def __str__(self) -> str:
        return (
            f"{self.units:,} units and {self.synapses:,} synapses would take about {self.bytes / 1e9:.1f} GB "
            f"and {self.seconds / 60:.1f} minutes"
        )


def synapses_of_image(spec: NetworkSpec) -> int:
    """How many synapses there are for one image."""
    return sum(node.synaptic.synapses(node.source_shapes[0], node.shape) for node in spec.weighted)

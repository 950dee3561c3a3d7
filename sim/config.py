"""What a training run is: one flat set of named values, from flags, a TOML file, or Python."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from network.errors import BadInput, did_you_mean

# What may change when a run is resumed: how far it goes, where it computes, what is measured beside and when it is
# saved, never what it computes.
MAY_CHANGE = ("epochs", "data_dir", "device", "kernels", "concordance", "save_every", "tensorboard")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainConfig:
    """One training run. Every field is a flag of ``hebb train`` and a key of its ``config.toml``."""

    net: Annotated[
        str, Field(description='preset (simpnet, deepnet, ..., liao_cifar, ...: hebb show lists them) or "NOTATION"')
    ] = "simpnet"
    norm: Annotated[
        Literal["bn", "bn-affine"] | None,
        Field(description="bn or bn-affine: batch normalisation of every layer but the output; else as the net says"),
    ] = None
    rule: Annotated[
        Literal["bp", "bph", "frfb", "urfb", "usf", "nusf", "brsf", "frsf", "rndf", "dfa"],
        Field(
            description="bp (softmax), bph (hinge), frfb (fixed feedback), urfb (updated feedback); Liao's, all "
            "softmax: usf, nusf (signs of W), brsf, frsf (signs with random magnitudes), rndf (fixed random); dfa "
            "(softmax, fixed random, straight from the output)"
        ),
    ] = "urfb"
    data: Annotated[
        str,
        Field(
            description="digits, cifar10, cifar100, mnist, fashion-mnist, svhn, stl10, a folder of images, or an .npz"
        ),
    ] = "digits"
    image_size: Annotated[
        int | None,
        Field(ge=1, description="resize all images to so many pixels high and wide; Liao's networks have 119"),
    ] = None
    data_dir: Annotated[
        str | None, Field(description="where the data set's files are (else $HEBB_DATA, or a download)")
    ] = None
    epochs: Annotated[int, Field(ge=0, description="passes over the training images; 1000 in the paper")] = 10
    batch_size: Annotated[int, Field(ge=1, description="images an update")] = 500
    eta: Annotated[float, Field(gt=0, allow_inf_nan=False, description="time step of the updates")] = 0.1
    mu: Annotated[
        float | None,
        Field(ge=0, allow_inf_nan=False, description="weight of the wrong classes in (4); default 1/(classes - 1)"),
    ] = None
    gain: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="slope of x = clip(gain h, -1, 1); default that of the semantics"),
    ] = None
    semantics: Annotated[
        Literal["paper", "code2018"], Field(description="the paper's text, or its published code of 2018")
    ] = "paper"
    order: Annotated[
        Literal["before_update", "after_update"],
        Field(description="feedback passes R as it was before the Hebbian gate opened, or as it is after"),
    ] = "before_update"
    connectivity: Annotated[
        float,
        Field(gt=0, le=1, description="share of connections that exist, drawn for W and R apart; .5 in the paper"),
    ] = 1.0
    feedback_rate: Annotated[
        float | None, Field(ge=0, le=1, description="epsilon: R changes by this much of W's increment (urfb: 1)")
    ] = None
    feedback_decay: Annotated[
        float, Field(ge=0, lt=1, description="Kolen-Pollack: share of W and R lost with each update")
    ] = 0.0
    flip_probability: Annotated[
        float, Field(ge=0, le=1, description="brsf, frsf: share p of feedback weights whose sign is not that of W")
    ] = 0.0
    feedback_scale: Annotated[
        Literal["none", "inputs", "biotorch", "sign-symmetry"] | None,
        Field(description="usf, nusf, brsf, frsf: scale of the feedback, that of the rule or of other codes"),
    ] = None
    manhattan: Annotated[
        int, Field(ge=0, le=3, description="Batch Manhattan: 0 takes increments as they are, 1 to 3 their signs")
    ] = 0
    momentum: Annotated[float, Field(ge=0, lt=1, description="share of the last update that goes on; .9 in Liao")] = 0.0
    weight_decay: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="what is taken off each update, times the weight")
    ] = 0.0
    over_batch: Annotated[
        Literal["mean", "sum"], Field(description="what an update is of a batch's increments (sum in Liao)")
    ] = "mean"
    schedule: Annotated[
        str | None, Field(description='eta by epoch, "51:.1,61:.01": from epoch 51 on a tenth of it, then a hundredth')
    ] = None
    dropout_mask: Annotated[
        Literal["per-image", "per-batch"],
        Field(description="Drop silences other units in each image, or the same in all of a batch; never compare both"),
    ] = "per-image"
    presentation: Annotated[
        Literal["mixed", "by-class"],
        Field(description="order of the images: all classes mixed, or one class after the other in each epoch"),
    ] = "mixed"
    block: Annotated[
        int | None, Field(ge=1, description="by-class: updates before the next class comes; else all of a class")
    ] = None
    refresh: Annotated[
        float | None, Field(ge=0, le=1, description="by-class: share of the images that come mixed in between")
    ] = None
    learns: Annotated[
        Literal["all", "bottom", "top"], Field(description="all layers, all but the output, or the output alone")
    ] = "all"
    start_from: Annotated[
        str | None, Field(description="folder of a run whose lowest layers this one begins with; the others are drawn")
    ] = None
    keep_layers: Annotated[
        str | None,
        Field(description="start-from: how many layers with weights it gives, or the name of the last one (conv1)"),
    ] = None
    freeze: Annotated[
        bool | None, Field(description="start-from: its layers stay as they are, W and R, and receive no feedback")
    ] = None
    dtype: Annotated[Literal["float32", "float64"], Field(description="precision of weights and activity")] = "float32"
    compute_dtype: Annotated[
        Literal["bfloat16", "tfloat32"] | None,
        Field(description="torch: precision of activity, feedback and products (tfloat32: of products on a GPU)"),
    ] = None
    device: Annotated[str, Field(description="cpu, cuda, cuda:1, or auto: a GPU where there is one")] = "auto"
    engine: Annotated[str, Field(description="torch; event, brian (circuits); reference (slow, float64)")] = "torch"
    kernels: Annotated[
        Literal["auto", "plain", "fast"],
        Field(description="of the torch engine: the plain form, compiled (on a GPU by Triton), or auto: what there is"),
    ] = "auto"
    seed: Annotated[int, Field(ge=0, description="of weights, feedback, masks, batches and dropout")] = 0
    concordance: Annotated[
        bool | None,
        Field(description="after each epoch, angles and signs of delta and dW beside those of exact back-propagation"),
    ] = None
    save_every: Annotated[
        int | None,
        Field(
            ge=1,
            description="epochs from one record in the run's folder to the next; default 1, and on a GPU so many that "
            "writing takes 5 % of the time",
        ),
    ] = None
    tensorboard: Annotated[
        bool | None, Field(description="write errors, images a second and alignments for TensorBoard beside the run")
    ] = None
    # Of the circuits only; without a value it is theirs, see `sim.engine.Settings`.
    timing: Annotated[
        float | Literal["ideal"] | None,
        Field(description="circuits: for how many time constants everything settles, or ideal (the default)"),
    ] = None
    epsilon: Annotated[
        float | None, Field(description="circuits: rise of sigma_delta above its plateau, default 0.2")
    ] = None
    M: Annotated[
        float | Literal["auto"] | None, Field(description="circuits: bound of the outputs' inputs, default auto")
    ] = None
    K: Annotated[float | Literal["auto"] | None, Field(description="circuits: bound of the feedback, default auto")] = (
        None
    )
    gate_phase: Annotated[
        float | Literal["auto"] | None,
        Field(description="circuits: when outputs are read, share of a cycle after they are nearest 0, default auto"),
    ] = None
    unchecked: Annotated[bool | None, Field(description="circuits: let what exceeds M and K pass")] = None
    dt: Annotated[float | None, Field(description="circuit brian: time step, ms, default 0.1")] = None

    @property
    def variations(self) -> list[str]:
        """In words, where a run computes something else than the same run with the defaults: for names and titles."""
        found = [f"dropout {self.dropout_mask}"] if self.dropout_mask != FIELDS["dropout_mask"].default else []
        found += [self.compute_dtype] if self.compute_dtype else []
        return found + ([self.presentation] if self.presentation != FIELDS["presentation"].default else [])


FIELDS = {field.name: field for field in dataclasses.fields(TrainConfig)}
_ADAPTER = TypeAdapter(TrainConfig)


def make_config(values: Mapping[str, Any], spell: str = "{}", *, strict: bool = False) -> TrainConfig:
    """Check values and fill in the defaults.

    Parameters
    ----------
    values : mapping of str to object
        By field name; text is read as numbers where numbers are needed.
    spell : str
        How a field is called where the values come from: ``"--{}"`` for flags, ``"run.toml: {}"`` for a file.
    strict : bool
        Take no text for a number, and no truth value for one.

    Raises
    ------
    BadInput
        Naming the field as the user wrote it, its value, and what would work.
    """
    for name, value in values.items():
        if name not in FIELDS:
            raise BadInput(f"{_spelled(spell, repr(name)[1:-1])}: no such setting{did_you_mean(name, FIELDS)}")
        if isinstance(value, str) and not _is_text(value):  # a shell hands over any bytes
            raise BadInput(f"{_spelled(spell, name)} {value!r}: expected text in UTF-8")
    try:
        # A dataclass is made from named values strictly only when they come as JSON.
        return _ADAPTER.validate_json(json.dumps(dict(values), default=str), strict=strict)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise BadInput(f"settings: {first['msg'][0].lower() + first['msg'][1:]}") from None
        name = str(first["loc"][0])
        choices = choices_of(name)
        if choices:
            what = f"expected one of {', '.join(choices)}{did_you_mean(str(values[name]), choices)}"
        else:
            what = first["msg"][0].lower() + first["msg"][1:]
        raise BadInput(f"{_spelled(spell, name)} {str(values[name])!r}: {what}") from None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def choices_of(name: str) -> tuple[str, ...]:
    """The words a field can be, or nothing where it is not a choice."""
    annotation = get_args(FIELDS[name].type)[0]
    kinds = [kind for kind in (get_args(annotation) or (annotation,)) if kind is not type(None)]
    if get_origin(annotation) is not Literal:
        annotation = kinds[0] if len(kinds) == 1 else annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def is_switch(name: str) -> bool:
    """Whether a field is a yes or no, whose flag takes no value."""
    return bool in get_args(get_args(FIELDS[name].type)[0])


def describe_field(name: str) -> str:
    """What a field means, in a line."""
    return get_args(FIELDS[name].type)[1].description


def read_config(path: str | Path) -> dict[str, Any]:
    """The values in a TOML file, checked one by one against the fields.

    Raises
    ------
    BadInput
        Naming the file, and the line or the key.
    """
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: not TOML: {error}") from None
    make_config(values, spell=f"{path}: {{}}", strict=True)
    return values


def config_text(config: TrainConfig) -> str:
    """The config as TOML. Fields at "no value" are left out, which is what reading them back gives."""
    values = {name: value for name, value in dataclasses.asdict(config).items() if value is not None}
    return tomli_w.dumps(values)


def identity(config: TrainConfig) -> dict[str, Any]:
    """The values that make a run the one it is: all but those that may change, and none at its default.

    Of the run that it starts from, the name of the folder: where that lies may change.
    """
    given = {
        name: value
        for name, field in FIELDS.items()
        if name not in MAY_CHANGE and (value := getattr(config, name)) != field.default
    }
    if config.start_from:
        given["start_from"] = Path(config.start_from).name
    return given


def check_resumed(old: TrainConfig, values: Mapping[str, Any], spell: str = "{}") -> TrainConfig:
    """The config of a resumed run: `old`, with those of `values` that may change.

    Raises
    ------
    BadInput
        Naming the first setting that would make it another run.
    """
    new = make_config({**_given(old), **values}, spell)
    for name in FIELDS:
        if name not in MAY_CHANGE and getattr(new, name) != getattr(old, name):
            may = ", ".join(_spelled(spell, each) for each in MAY_CHANGE)
            raise BadInput(
                f"{_spelled(spell, name)} {getattr(new, name)}: the run was started with {getattr(old, name)}; "
                f"a resumed run may change {may}"
            )
    return new


def _given(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(config).items() if value is not None}


def _spelled(spell: str, name: str) -> str:
    return spell.format(name.replace("_", "-") if spell.startswith("--") else name)

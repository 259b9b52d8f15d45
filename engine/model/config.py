"""TrainConfig: everything that changes a training result, with its presets, limits and documentation."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomli_w

from engine.errors import ConfigError

LEAST_EPOCHS, LEAST_STEPS = 150, 1800


def _setting(default: Any, doc: str, *, low: float | None = None, high: float | None = None, choices: str = "") -> Any:
    metadata = {"doc": doc, "low": low, "high": high, "choices": tuple(choices.split())}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; the defaults are the `default` preset; metadata holds doc and limits.

    Raises ConfigError for a value of the wrong type, out of range or not among the choices.
    """

    preset: str = _setting("default", "Preset the settings started from.", choices="default paper autoencoder")
    descriptors: tuple[str, ...] = _setting((), "Descriptor columns, one constrained latent axis each, in this order.")
    free_axes: int = _setting(1, "Latent axes left free beside the constrained ones.", low=0, high=64)
    seeds: tuple[int, ...] = _setting((0, 1, 2, 3, 4, 5, 6, 7), "Seeds of the ensemble, trained together.")
    split: str = _setting(
        "material", "Keep all sites of a material on one side, or split sites at random.", choices="material random"
    )
    split_seed: int = _setting(
        0,
        "Seed of the split, the same for all members; with 0 a random split keeps the order of shuffled files.",
        low=0,
    )
    train_fraction: float = _setting(0.70, "Share of the sites to train on.", low=0.05, high=0.95)
    validation_fraction: float = _setting(
        0.15, "Share to choose checkpoints, members and thresholds on.", low=0.01, high=0.9
    )

    bootstrap: bool = _setting(
        False,
        "Train each member on its own draw, with replacement, of the training materials, to see what hangs on them.",
    )

    hidden: int = _setting(256, "Width of the hidden layers of encoder and decoder.", low=1, high=4096)
    layers: int = _setting(5, "Fully connected layers of encoder and of decoder.", low=2, high=20)
    discriminator_hidden: int = _setting(64, "Width of the hidden layers of the discriminator.", low=1, high=4096)
    discriminator_layers: int = _setting(3, "Fully connected layers of the discriminator.", low=2, high=20)
    activation: str = _setting(
        "silu", "Activation after every hidden layer of encoder and decoder.", choices="silu prelu"
    )
    normalisation: str = _setting("layer", "Normalisation in hidden layers.", choices="layer batch none")
    dropout: float = _setting(0.05, "Share of hidden encoder units dropped per training sample.", low=0, high=0.9)
    softplus_beta: float = _setting(1.0, "Sharpness of the Softplus that ends the decoder.", low=0.1, high=100)
    standardise: bool = _setting(
        True, "Centre and scale spectra per energy inside the networks by the training mean and spread."
    )

    input_derivative: bool = _setting(True, "Give the encoder the slope of each spectrum beside the spectrum itself.")

    epochs: int = _setting(
        0,
        f"Passes over the training spectra; 0 takes {LEAST_EPOCHS}, or more where a small set needs more to make "
        f"{LEAST_STEPS} steps.",
        low=0,
        high=1_000_000,
    )
    batch_size: int = _setting(256, "Spectra per step; at most the training set.", low=2, high=1_000_000)
    learning_rate: float = _setting(3e-3, "Highest learning rate of AdamW.", low=1e-8, high=1)
    weight_decay: float = _setting(0.01, "Decoupled weight decay of AdamW.", low=0, high=10)
    schedule: str = _setting(
        "one_cycle",
        "Learning rate: one rise and fall over the run, or a tenth after a plateau.",
        choices="one_cycle plateau",
    )
    plateau_epochs: int = _setting(100, "Epochs without a better validation score before a plateau is declared.", low=1)
    separate_optimisers: bool = _setting(
        False, "One optimiser and one pass per loss term, as published, instead of one summed loss."
    )
    weight_average: float = _setting(
        0.998, "Decay per step of the averaged weights that are kept; 0 keeps the last.", low=0, high=0.99999
    )

    reconstruction: str = _setting(
        "plain", "Mean squared error, or the published one that forgives a common factor.", choices="plain scaled"
    )
    reconstruction_weight: float = _setting(26.0, "Weight of the reconstruction loss.", low=0)
    rank_weight: float = _setting(1.0, "Weight of the rank loss (Eq. 1).", low=0)
    adversarial_weight: float = _setting(0.05, "Weight of the discriminator loss on the latent.", low=0)
    free_correlation_weight: float = _setting(
        0.03, "Weight of the squared correlations of free with constrained axes.", low=0
    )
    mutual_information_weight: float = _setting(
        0.1, "Weight of recovering prior samples from their decoded spectra.", low=0
    )
    smoothness: str = _setting("curvature", "Smoothness of decoded prior samples.", choices="curvature blur")
    smoothness_weight: float = _setting(0.2, "Weight of the smoothness loss.", low=0)
    smoothness_share: float = _setting(
        1.0, "Share of the epochs, from the first, in which smoothness counts.", low=0, high=1
    )
    input_noise: float = _setting(
        0.003, "Standard deviation of noise added to input spectra; targets stay clean.", low=0, high=1
    )
    mixture_share: float = _setting(
        0.4, "Share of training samples mixed with another, spectra and descriptors alike.", low=0, high=1
    )
    prior_share: float = _setting(
        0.25, "Prior samples per training sample in mutual information and smoothness.", low=0.01, high=10
    )
    discriminator_noise: float = _setting(
        0.0, "Standard deviation of noise added to the discriminator's input.", low=0, high=10
    )
    reversal_limit: float = _setting(0.7, "Highest factor of the gradient reversal.", low=0, high=100)
    reversal_steepness: float = _setting(
        10.0,
        "How fast the reversal rises: factor = limit (2 / (1 + exp(-steepness epoch / epochs)) - 1).",
        low=0.01,
        high=1e6,
    )
    validate_every: int = _setting(5, "Epochs between validations.", low=1)

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            object.__setattr__(self, spec.name, _checked(spec, getattr(self, spec.name)))
        if not self.seeds:
            raise ConfigError("seeds is empty; need at least one")
        for name in ("seeds", "descriptors"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ConfigError(f"{name} repeats a value: {', '.join(map(str, values))}")
        if self.n_latent == 0:
            raise ConfigError("no latent axis: give descriptors, free_axes, or both")
        if self.train_fraction + self.validation_fraction >= 1:
            raise ConfigError(
                f"train_fraction {self.train_fraction:g} + validation_fraction {self.validation_fraction:g} "
                "leave nothing to test on; their sum must stay below 1"
            )

    def total_epochs(self, batches: int) -> int:
        """Epochs to train when one epoch takes ``batches`` steps."""
        return self.epochs or max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / batches))

    @property
    def n_latent(self) -> int:
        """Latent axes k = descriptors + free axes."""
        return len(self.descriptors) + self.free_axes

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Descriptor names, then "free 1", "free 2", … for the free axes."""
        return (*self.descriptors, *(f"free {i + 1}" for i in range(self.free_axes)))

    def to_toml(self) -> str:
        """The settings as TOML text, which `from_toml` reads back to an equal object."""
        return tomli_w.dumps({k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()})

    @classmethod
    def from_toml(cls, path: Path) -> TrainConfig:
        """Settings from a TOML file; ConfigError for unreadable text, unknown keys and bad values."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        return make_config(str(values.pop("preset", "default")), **values)


def _checked(spec: dataclasses.Field[Any], value: Any) -> Any:
    kind = type(spec.default)
    if kind is tuple:
        item = int if spec.name == "seeds" else str
        if isinstance(value, str) or not all(type(v) is item for v in value):
            raise ConfigError(f"{spec.name} is {value!r}; need a list of {'whole numbers' if item is int else 'names'}")
        if item is int and any(v < 0 or v >= 2**31 for v in value):
            raise ConfigError(f"{spec.name} is {value!r}; need whole numbers from 0 to 2147483647")
        return tuple(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise ConfigError(f"{spec.name} is {value!r}; need {names[kind]}")
    low, high, choices = spec.metadata["low"], spec.metadata["high"], spec.metadata["choices"]
    if choices and value not in choices:
        raise ConfigError(f"{spec.name} is '{value}'; choose from {', '.join(choices)}")
    below, above = low is not None and not value >= low, high is not None and not value <= high
    if below or above:
        limits = " and ".join(
            f"{word} {limit:g}" for word, limit in (("at least", low), ("at most", high)) if limit is not None
        )
        raise ConfigError(f"{spec.name} is {value}; need {limits}")
    return value


PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "default": {},
        # Settings shipped with the published code for its 100-trial run; network sizes from the paper, appendix A.1.
        "paper": {
            "hidden": 64,
            "activation": "prelu",
            "normalisation": "batch",
            "dropout": 0.0,
            "softplus_beta": 2.0,
            "standardise": False,
            "input_derivative": False,
            "epochs": 1500,
            "batch_size": 1024,
            "learning_rate": 1e-3,
            "schedule": "plateau",
            "separate_optimisers": True,
            "weight_average": 0.0,
            "reconstruction": "scaled",
            "reconstruction_weight": 10.0,
            "rank_weight": 10.0,
            "adversarial_weight": 1.0,
            "free_correlation_weight": 0.0,
            "mutual_information_weight": 1.0,
            "smoothness": "blur",
            "smoothness_weight": 1.0,
            "smoothness_share": 1 / 3,
            "input_noise": 0.02,
            "mixture_share": 0.0,
            "prior_share": 1.0,
            "discriminator_noise": 0.56,
            "reversal_limit": 0.7172,
            "reversal_steepness": 1e4 / 739,
        },
        # The same networks without any constraint on the latent: what reconstruction alone can do.
        "autoencoder": {
            "rank_weight": 0.0,
            "adversarial_weight": 0.0,
            "free_correlation_weight": 0.0,
            "mixture_share": 0.0,
            "mutual_information_weight": 0.0,
            "smoothness_weight": 0.0,
        },
    }
)


def make_config(preset: str = "default", **changes: Any) -> TrainConfig:
    """The preset with ``changes`` applied; ConfigError for an unknown preset, setting or value.

    Dropout serves the ranking of descriptors and costs reconstruction: without descriptors it is 0 unless asked for.
    """
    if preset not in PRESETS:
        raise ConfigError(f"preset is '{preset}'; choose from {', '.join(PRESETS)}")
    known = [spec.name for spec in dataclasses.fields(TrainConfig)]
    for name in changes:
        if name not in known or name == "preset":
            raise ConfigError(f"unknown setting '{name}'; known are {', '.join(known[1:])}")
    unlabelled = {} if changes.get("descriptors") else {"dropout": 0.0}
    return TrainConfig(**{"preset": preset, **PRESETS[preset], **unlabelled, **changes})

"""The decoders of a run as plain numbers, read without torch: for whatever decodes elsewhere, such as a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import RunError
from engine.model.config import TrainConfig
from engine.model.run import Run

WEIGHTS = "weights.safetensors"
NORMS = {"layer": ("scale", "offset"), "batch": ("mean", "std"), "none": ()}


@dataclass(frozen=True, eq=False)
class DecoderWeights:
    """The decoder of one member.

    sizes          width of every layer: k latent axes, the hidden ones, m energies
    activation     "silu" or "prelu" · normalisation  "layer" (before it), "batch" (after it) or "none"
    softplus_beta  sharpness of the Softplus that ends it
    values         (w,) float32, layer by layer: weight (inputs, outputs) row by row and bias; for every hidden layer
                   then the slope of PReLU, scale and offset of layer norm or mean and std of batch norm; in the end
                   offset and scale of the output (m,)
    """

    sizes: tuple[int, ...]
    activation: str
    normalisation: str
    softplus_beta: float
    values: npt.NDArray[np.float32]


def read_decoders(run: Run) -> tuple[DecoderWeights, ...]:
    """The decoder of every member of a finished run, in the order of its scores; RunError when they do not fit."""
    config = run.config()
    arrays, metadata = run.read_arrays(WEIGHTS)
    try:
        sizes = (config.n_latent, *[config.hidden] * (config.layers - 1), len(arrays["energy_ev"]))
        return tuple(_decoder(config, sizes, arrays, member) for member in range(len(metadata["seeds"])))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RunError(f"{run.path / WEIGHTS}: does not fit the settings in config.toml ({error})") from error


def _decoder(
    config: TrainConfig, sizes: tuple[int, ...], arrays: Mapping[str, npt.NDArray[Any]], member: int
) -> DecoderWeights:
    parts = [arrays[f"networks.{name}"][member].reshape(shape).ravel() for name, shape in _parts(config, sizes)]
    values = np.concatenate(parts).astype(np.float32)
    return DecoderWeights(sizes, config.activation, config.normalisation, config.softplus_beta, values)


def _parts(config: TrainConfig, sizes: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of what makes up ``DecoderWeights.values``, in its order."""
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        yield f"decoder.linears.{layer}.weight", (inputs, outputs)
        yield f"decoder.linears.{layer}.bias", (outputs,)
        if layer == len(sizes) - 2:
            continue
        if config.activation == "prelu":
            yield f"decoder.activations.{layer}.slope", (1,)
        for part in NORMS[config.normalisation]:
            yield f"decoder.norms.{layer}.{part}", (outputs,)
    yield "output_offset", (sizes[-1],)
    yield "output_scale", (sizes[-1],)

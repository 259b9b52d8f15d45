"""A trained member for use: numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.analysis.scores import FloatArray, Thresholds
from engine.analysis.traversal import LEVELS, SAMPLES, Traversal, traverse
from engine.errors import DataError, RunError
from engine.model.config import TrainConfig
from engine.model.networks import Networks
from engine.model.run import Run

CHUNK = 4096
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, eq=False)
class LatentModel:
    """One member of a run.

    axis_names          k names: descriptors, then free axes · seed of the member
    energy_ev           (m,) the grid that spectra to encode must be on
    latent_percentiles  (101, k) percentiles 0…100 of each axis over the encoded test part
    thresholds          per descriptor the cuts that turn its axis into classes, or None when it is continuous
    """

    axis_names: tuple[str, ...]
    seed: int
    energy_ev: FloatArray
    latent_percentiles: FloatArray
    thresholds: tuple[Thresholds | None, ...]
    networks: Networks

    def encode(self, mu: FloatArray) -> FloatArray:
        """Latent points (n, k) float32 of spectra (n, m) on the model's grid."""
        if mu.ndim != 2 or mu.shape[1] != self.energy_ev.size:
            raise DataError(f"spectra have shape {mu.shape}; need (n, {self.energy_ev.size}) on the model's grid")
        return _apply(self.networks.encode, mu, len(self.axis_names))

    def decode(self, z: FloatArray) -> FloatArray:
        """Spectra (n, m) float32 of latent points (n, k)."""
        if z.ndim != 2 or z.shape[1] != len(self.axis_names):
            raise DataError(f"latent points have shape {z.shape}; need (n, {len(self.axis_names)})")
        return _apply(self.networks.decode, z, self.energy_ev.size)

    def percentile(self, axis: str, q: int) -> float:
        """The q-th percentile (0…100) of an axis over the encoded test part."""
        if axis not in self.axis_names:
            raise DataError(f"axis '{axis}' is not in the model; it has: {', '.join(self.axis_names)}")
        return float(self.latent_percentiles[q, self.axis_names.index(axis)])


@torch.inference_mode()
def _apply(function: Callable[[Tensor], Tensor], rows: FloatArray, width: int) -> FloatArray:
    values = torch.tensor(rows, dtype=torch.float32)
    out = [function(chunk[None])[0].numpy() for chunk in torch.split(values, CHUNK)] if len(values) else []
    return np.concatenate([np.empty((0, width), dtype=np.float32), *out])


def members_from_state(
    config: TrainConfig, seeds: list[int], state: Mapping[str, Tensor], energy_ev: FloatArray
) -> list[LatentModel]:
    """Members from stacked network state (leading axis: ``seeds``), percentiles and thresholds still to be set."""
    members = []
    for i, seed in enumerate(seeds):
        one = replace(config, seeds=(seed,))
        networks = Networks(one, energy_ev.size, [torch.Generator().manual_seed(seed)])
        networks.load_state_dict({key: value[i : i + 1].cpu() for key, value in state.items()})
        networks.eval().requires_grad_(False)
        percentiles = np.full((101, config.n_latent), np.nan)
        members.append(LatentModel(config.axis_names, seed, energy_ev, percentiles, (), networks))
    return members


def save_members(run: Run, members: list[LatentModel]) -> None:
    """Writes the weights file of a run: every member's networks, percentiles, thresholds, and the energies."""
    states = [member.networks.state_dict() for member in members]
    arrays = {f"networks.{key}": np.concatenate([state[key].numpy() for state in states]) for key in states[0]}
    arrays["energy_ev"] = members[0].energy_ev
    arrays["latent_percentiles"] = np.stack([m.latent_percentiles for m in members])
    thresholds = [[t and {"classes": t.classes, "cuts": t.cuts} for t in m.thresholds] for m in members]
    metadata = {"axis_names": members[0].axis_names, "seeds": [m.seed for m in members], "thresholds": thresholds}
    run.write_arrays(WEIGHTS, arrays, metadata)


def load_members(run: Run) -> list[LatentModel]:
    """Every member of a finished run, in the order of its scores; RunError when the run has no usable weights."""
    config = run.config()
    arrays, metadata = run.read_arrays(WEIGHTS)
    try:
        state = {k.removeprefix("networks."): torch.from_numpy(v) for k, v in arrays.items() if k[:9] == "networks."}
        members = members_from_state(config, metadata["seeds"], state, arrays["energy_ev"])
        percentiles = arrays["latent_percentiles"]
        return [
            replace(member, latent_percentiles=percentiles[i], thresholds=_thresholds(metadata["thresholds"][i]))
            for i, member in enumerate(members)
        ]
    except (KeyError, IndexError, TypeError, RuntimeError) as error:
        raise RunError(f"{run.path / WEIGHTS}: does not fit the settings in config.toml ({error})") from error


def load_member(run: Run, member: int | None = None) -> LatentModel:
    """Member ``member`` of a finished run (its row in the scores), or the selected one."""
    members = load_members(run)
    if member is None:
        member = run.selected()
    if not 0 <= member < len(members):
        raise RunError(f"{run.path}: member {member} does not exist; the run has members 0 to {len(members) - 1}")
    return members[member]


def traverse_axis(
    model: LatentModel, axis: str, *, levels: int = LEVELS, samples: int = SAMPLES, seed: int = 0
) -> Traversal:
    """The paper's traversal of one axis, from the 5th to the 95th percentile of the encoded test part."""
    low, high = model.percentile(axis, 5), model.percentile(axis, 95)
    return traverse(
        model.decode, model.axis_names, axis, low, high, model.energy_ev, levels=levels, samples=samples, seed=seed
    )


def _thresholds(stored: list[dict[str, Any] | None]) -> tuple[Thresholds | None, ...]:
    return tuple(None if t is None else Thresholds(tuple(t["classes"]), tuple(t["cuts"])) for t in stored)

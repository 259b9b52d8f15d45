"""The decoder and the spectral descriptors of the browser against those of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import RunError
from engine.model.config import make_config
from engine.model.decoder_weights import read_decoders
from engine.model.latent_model import LatentModel, members_from_state, save_members
from engine.model.networks import Networks
from engine.model.run import Run
from engine.spectra import SPECTRAL_DESCRIPTORS, spectral_descriptors
from explorer.components.player import floats_base64, weights_json
from tests.javascript import call

DECODE = """
    const decode = makeDecoder(value.weights)
    const k = value.weights.sizes[0]
    const z = floatsFromBase64(value.z)
    const out = []
    for (let at = 0; at < z.length; at += k) out.push(Array.from(decode(z.subarray(at, at + k))))
    return out
"""
SHAPES: dict[str, dict[str, Any]] = {
    "default": {"preset": "default"},
    "paper": {"preset": "paper"},
    "autoencoder": {"preset": "autoencoder"},
    "two layers, one axis": {"preset": "default", "layers": 2, "descriptors": (), "free_axes": 1},
    "three layers, prelu with layer norm": {"preset": "paper", "layers": 3, "normalisation": "layer", "hidden": 17},
    "nine layers, silu with batch norm": {"preset": "default", "layers": 9, "normalisation": "batch", "hidden": 30},
    "no norm, sharp softplus": {"preset": "default", "normalisation": "none", "softplus_beta": 50.0, "free_axes": 3},
}


def random_members(folder: Path, points: int, **settings: Any) -> tuple[Run, list[LatentModel]]:
    """A run with two members whose weights and statistics are all random."""
    settings = {"descriptors": ("OS", "CN"), "seeds": (3, 8), **settings}
    config = make_config(settings.pop("preset"), **settings)
    energy = np.linspace(8980.0, 9030.0, points)
    random = torch.Generator().manual_seed(1)
    networks = Networks(config, points, [torch.Generator().manual_seed(seed) for seed in config.seeds])
    state = {
        name: value + 0.2 * torch.rand(value.shape, generator=random) for name, value in networks.state_dict().items()
    }
    members = members_from_state(config, list(config.seeds), state, energy)
    run = Run(folder)
    run.write_text("config.toml", config.to_toml())
    save_members(run, members)
    return run, members


@pytest.mark.parametrize("name", SHAPES)
def test_the_browser_decodes_as_torch_does(tmp_path: Path, name: str) -> None:
    points = 256 if name in ("default", "paper") else 61
    run, members = random_members(tmp_path, points, **SHAPES[name])
    weights = read_decoders(run)
    assert len(weights) == 2
    for member, own in zip(members, weights, strict=True):
        z = np.random.default_rng(member.seed).normal(size=(1000, len(member.axis_names))).astype(np.float32) * 2
        found = call("decoder.js", DECODE, {"weights": weights_json(own), "z": floats_base64(z)})
        expected = member.decode(z)
        assert np.abs(np.array(found) - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    run, _ = random_members(tmp_path, 20, preset="default", hidden=16)
    run.write_text("config.toml", make_config("default", descriptors=("OS", "CN"), hidden=12).to_toml())
    with pytest.raises(RunError, match="does not fit the settings"):
        read_decoders(run)


def test_the_browser_reads_a_spectrum_as_the_engine_does() -> None:
    random = np.random.default_rng(4)
    energy = np.sort(np.concatenate([np.linspace(8980, 9030, 90), random.uniform(8980, 9030, 10)]))
    x = energy[None, :] - random.uniform(8988, 8996, (400, 1))
    smooth = 0.5 + np.arctan(x) / np.pi + random.uniform(0, 1, (400, 1)) * np.exp(-(((x - 4) / 2.5) ** 2))
    smooth += random.uniform(0, 0.1, (400, 1)) * np.exp(-(((x + 6) / 1.5) ** 2)) + 0.05 * np.sin(x / 3)
    rough = np.round(smooth + 0.02 * random.normal(size=smooth.shape), 2)
    special = np.stack([np.ones(100), np.linspace(0, 1, 100), np.linspace(1, 0, 100), np.zeros(100)])
    mu = np.concatenate([smooth, rough, special])
    expected = spectral_descriptors(energy, mu)
    body = "return value.mu.map(mu => spectralDescriptors(value.energy, mu))"
    found = call("features.js", body, {"energy": energy.tolist(), "mu": mu.tolist()})
    assert expected["I_pre"].notna().sum() > 100
    for name in SPECTRAL_DESCRIPTORS:
        values = np.array([np.nan if row[name] is None else row[name] for row in found])
        assert np.allclose(values, expected[name], rtol=1e-7, atol=1e-7, equal_nan=True), name

"""Networks: normalisation statistics, positivity, standardisation."""

from __future__ import annotations

import pytest
import torch

from engine.model.config import make_config
from engine.model.networks import Networks, StackedBatchNorm


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_shapes_and_positive_spectra(preset: str) -> None:
    networks = Networks(make_config(preset, descriptors=("CN",), free_axes=2), 40, generators(0, 1))
    mu = torch.rand(2, 9, 40)
    z = networks.measure(mu)
    assert z.shape == (2, 9, 3)
    decoded = networks.decode(10 * torch.randn(2, 50, 3))
    assert decoded.shape == (2, 50, 40)
    assert (decoded >= 0).all()


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_measured_statistics_make_evaluation_equal_to_batch_mode(preset: str) -> None:
    networks = Networks(make_config(preset, descriptors=("CN",)), 40, generators(0, 1))
    mu = torch.rand(2, 30, 40)
    z = networks.measure(mu)
    torch.testing.assert_close(z.mean(1), torch.zeros(2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(1, correction=0), torch.ones(2, 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(networks.encode(mu), z, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(networks.decode(z), networks.decode(z, "batch"), atol=1e-5, rtol=1e-4)


def test_a_site_is_encoded_the_same_alone_and_in_company() -> None:
    networks = Networks(make_config("paper", descriptors=("CN",)), 40, generators(3))
    mu = torch.rand(1, 20, 40)
    networks.measure(mu)
    torch.testing.assert_close(networks.encode(mu[:, :1]), networks.encode(mu)[:, :1], atol=1e-5, rtol=1e-4)


def test_seeds_differ_and_do_not_depend_on_company() -> None:
    config = make_config("default", descriptors=("CN",))
    pair, alone = Networks(config, 40, generators(4, 5)), Networks(config, 40, generators(5))
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(pair.state_dict()[name][1:], value, rtol=0, atol=0)
    weights = pair.encoder.linears[0].weight
    assert not torch.equal(weights[0], weights[1])


def test_standardised_decoder_gives_the_mean_spectrum_for_a_zero_last_layer() -> None:
    networks = Networks(make_config("default", descriptors=("CN",)), 40, generators(0))
    mean = torch.linspace(0.02, 1.4, 40)
    networks.standardise(torch.stack([mean + 0.01, mean - 0.01]))
    with torch.no_grad():
        networks.decoder.linears[-1].weight.zero_()
        networks.decoder.linears[-1].bias.zero_()
    torch.testing.assert_close(networks.decode(torch.randn(1, 3, 2))[0, 0], mean, atol=1e-5, rtol=1e-5)


def test_batch_norm_follow_moves_towards_the_batch() -> None:
    norm = StackedBatchNorm(2, 1, torch.device("cpu"))
    x = 3 + 2 * torch.randn(1, 4000, 2)
    for _ in range(200):
        norm.follow(x)
    torch.testing.assert_close(norm.mean, x.mean(1, keepdim=True), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm.std, x.std(1, keepdim=True), atol=1e-3, rtol=1e-2)

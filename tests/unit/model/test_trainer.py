"""Training steps: members of a stack are independent, terms reach the weights they should, state can be restored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import ConfigError
from engine.model import losses
from engine.model.config import TrainConfig, make_config
from engine.model.trainer import Trainer, bootstrap_rows
from tests.synthetic import make_set

SMALL = {"hidden": 16, "layers": 3, "epochs": 4, "batch_size": 40, "discriminator_hidden": 8}


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    """So that rounding, which training amplifies, does not blur what is compared."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trainer(config: TrainConfig, n: int = 90) -> Trainer:
    spectra = make_set(n)
    labels = spectra.descriptor_values(config.descriptors).copy()
    labels[::7] = np.nan
    return Trainer(config, torch.tensor(spectra.mu, dtype=torch.float64), torch.tensor(labels))


@pytest.mark.parametrize("preset", ["default", "paper", "autoencoder"])
def test_member_of_a_stack_equals_its_seed_alone(preset: str) -> None:
    config = make_config(preset, descriptors=("OS", "WAVE"), seeds=(3, 8, 5), **SMALL)
    stack, alone = trainer(config), trainer(replace(config, seeds=(8,)))
    for _ in range(config.epochs):
        together, single = stack.train_epoch(), alone.train_epoch()
        np.testing.assert_allclose(together["total"][1], single["total"][0], rtol=1e-9, atol=1e-12)
    mu = alone.mu.expand(3, -1, -1)
    mine, other = stack.model(), alone.model()
    torch.testing.assert_close(mine.encode(mu)[1], other.encode(mu[:1])[0], rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(
        mine.decode(mine.encode(mu))[1], other.decode(other.encode(mu[:1]))[0], rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_state_restores_the_path_exactly(preset: str) -> None:
    config = make_config(preset, descriptors=("OS",), seeds=(0, 1), **SMALL)
    straight = trainer(config)
    straight.train_epoch()
    tensors = {key: value.clone() for key, value in straight.state().items()}
    counters = dict(straight.counters())
    straight.train_epoch()
    straight.train_epoch()
    resumed = trainer(config)
    resumed.load(tensors, counters)
    resumed.train_epoch()
    resumed.train_epoch()
    assert resumed.epoch == straight.epoch
    for name, value in straight.model().state_dict().items():
        torch.testing.assert_close(resumed.model().state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_every_term_changes_the_weights_it_should_and_no_others() -> None:
    config = make_config("default", descriptors=("OS",), seeds=(0,), dropout=0.0, **SMALL)
    reached = {
        "reconstruction": {"encoder", "decoder"},
        "rank": {"encoder"},
        "adversarial": {"encoder", "discriminator"},
        "free_correlation": {"encoder"},
        "mutual_information": {"encoder", "decoder"},
        "smoothness": {"decoder"},
    }
    subject = trainer(config)
    subject.epoch = 2
    for term, expected in reached.items():
        subject.networks.zero_grad(set_to_none=True)
        batch = subject._batch(torch.arange(40).expand(1, -1))
        subject._terms(batch, {term})[term].sum().backward()
        touched = {
            name.split(".")[0]
            for name, p in subject.networks.named_parameters()
            if p.grad is not None and p.grad.abs().max() > 0
        }
        assert touched == expected, term


def test_adversarial_term_pushes_discriminator_and_encoder_in_opposite_directions() -> None:
    z = torch.randn(1, 50, 2, requires_grad=True)
    weight = torch.tensor([0.3, -0.2], requires_grad=True)

    def gradient(reversed_: bool) -> torch.Tensor:
        points = losses.reverse_gradient(z, 1.0) if reversed_ else z
        loss = losses.adversarial_loss(torch.zeros(1, 50, 1), (points @ weight)[..., None])
        return torch.autograd.grad(loss.sum(), z)[0]

    torch.testing.assert_close(gradient(True), -gradient(False))


def test_discriminator_separates_a_shifted_gaussian() -> None:
    config = make_config("default", descriptors=("OS",), seeds=(0,), **SMALL)
    nets = trainer(config).networks
    optimiser = torch.optim.AdamW(nets.discriminator.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(150):
        real, fake = torch.randn(1, 128, 2, generator=generator), torch.randn(1, 128, 2, generator=generator) + 1.5
        loss = losses.adversarial_loss(nets.discriminator(real), nets.discriminator(fake)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    real, fake = torch.randn(1, 2000, 2, generator=generator), torch.randn(1, 2000, 2, generator=generator) + 1.5
    assert (nets.discriminator(real) > 0).float().mean() > 0.8
    assert (nets.discriminator(fake) < 0).float().mean() > 0.8


def test_a_diverged_seed_stops_alone() -> None:
    config = make_config("default", descriptors=("OS",), seeds=(0, 1), **SMALL)
    healthy, subject = trainer(config), trainer(config)
    with torch.no_grad():
        subject.networks.encoder.linears[0].weight[0, 0, 0] = float("nan")
    subject.train_epoch()
    healthy.train_epoch()
    assert subject.alive.tolist() == [False, True]
    subject.train_epoch()
    healthy.train_epoch()
    for name, value in healthy.model().state_dict().items():
        torch.testing.assert_close(subject.model().state_dict()[name][1], value[1], rtol=0, atol=0, msg=name)


def test_lower_rate_of_one_seed_is_what_adamw_does_with_that_rate() -> None:
    config = make_config("paper", descriptors=("OS",), seeds=(0, 1), **SMALL)
    slowed, reference = trainer(config), trainer(replace(config, learning_rate=config.learning_rate * 0.1))
    slowed.rate_scale[1] = 0.1
    slowed.train_epoch()
    reference.train_epoch()
    for name, value in reference.networks.named_parameters():
        torch.testing.assert_close(dict(slowed.networks.named_parameters())[name][1], value[1], rtol=1e-6, atol=1e-8)


def test_mixing_averages_spectra_and_labels_alike_and_keeps_what_is_not_mixed() -> None:
    config = make_config("default", descriptors=("OS", "WAVE"), seeds=(0,), **SMALL)
    subject = trainer(config)
    mu, labels = subject.mu[None], subject.labels[None]
    mixed_mu, mixed = subject._mixed(mu, labels)
    changed = (mixed_mu != mu).any(-1)[0]
    assert 0.2 < changed.double().mean() < 0.8
    torch.testing.assert_close(mixed[0, ~changed], labels[0, ~changed], equal_nan=True, rtol=0, atol=0)
    other_mu, other = mu.roll(1, 1), labels.roll(1, 1)
    weight = ((mixed_mu - mu) * (other_mu - mu)).sum(-1) / (other_mu - mu).square().sum(-1)
    assert weight.min() >= 0
    assert weight.max() <= 0.5
    known = changed & ~torch.isnan(labels + other).any(-1)[0]
    expected = labels + weight[..., None] * (other - labels)
    torch.testing.assert_close(mixed[0, known], expected[0, known], rtol=1e-6, atol=1e-9)


def test_learns_the_order_of_a_descriptor() -> None:
    config = make_config("default", descriptors=("WAVE",), seeds=(0,), **{**SMALL, "epochs": 60})
    spectra = make_set(200)
    mu = torch.tensor(spectra.mu, dtype=torch.float64)
    subject = Trainer(config, mu, torch.tensor(spectra.descriptor_values(["WAVE"])))
    for _ in range(config.epochs):
        terms = subject.train_epoch()
    z = subject.model().encode(mu[None])[0, :, 0].detach().numpy()
    correlation = np.corrcoef(np.argsort(np.argsort(z)), np.argsort(np.argsort(spectra.descriptors["WAVE"])))[0, 1]
    assert correlation > 0.9
    assert terms["reconstruction"][0] < float(np.var(spectra.mu, axis=0).mean())


def test_bootstrap_draws_whole_materials_with_replacement_and_trains_on_them_alone() -> None:
    material = np.repeat([f"m-{i}" for i in range(30)], 3)
    rows = bootstrap_rows(material, 4)
    assert rows.size == 90
    counts = np.bincount(rows, minlength=90).reshape(30, 3)
    assert (counts == counts[:, :1]).all()
    left_out = [np.setdiff1d(np.arange(90), bootstrap_rows(material, seed)).size / 90 for seed in range(60)]
    assert np.mean(left_out) == pytest.approx((1 - 1 / 30) ** 30, abs=0.03)
    assert not np.array_equal(rows, bootstrap_rows(material, 5))
    config = make_config("default", descriptors=("OS",), seeds=(4,), bootstrap=True, **SMALL)
    spectra = make_set(90)
    mu, labels = torch.tensor(spectra.mu, dtype=torch.float64), torch.tensor(spectra.descriptor_values(["OS"]))
    with pytest.raises(ConfigError, match="bootstrap draws materials"):
        Trainer(config, mu, labels)
    drawn = Trainer(config, mu, labels, material)
    by_hand = Trainer(replace(config, bootstrap=False), mu, labels)
    by_hand.mu, by_hand.labels = mu[rows], labels[rows]
    np.testing.assert_allclose(drawn.train_epoch()["total"], by_hand.train_epoch()["total"])

"""The loss terms against slow references and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import losses


def rank_loss_by_pairs(z: np.ndarray, p: np.ndarray) -> float:
    """Eq. 1 as two loops over pairs, for one descriptor."""
    known = np.flatnonzero(~np.isnan(p))
    n_con = n_dis = 0
    positive = negative = 0.0
    for i in known:
        for j in known:
            f = (z[i] - z[j]) * np.sign(p[i] - p[j])
            if f > 0:
                n_con, positive = n_con + 1, positive + f
            elif f < 0:
                n_dis, negative = n_dis + 1, negative + f
    n_dis = max(n_dis, 1)
    pairs = max(len(known) * (len(known) - 1), 1)
    return -(n_dis / max(n_con, n_dis) * positive + negative) / pairs


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 14),
    levels=st.integers(1, 6),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=150, deadline=None)
def test_rank_loss_equals_double_loop(seed: int, n: int, levels: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(2, n, 3))
    p = rng.integers(0, levels, size=(2, n, 3)).astype(float)
    p[rng.random(p.shape) < missing] = np.nan
    expected = [np.mean([rank_loss_by_pairs(z[s, :, d], p[s, :, d]) for d in range(3)]) for s in range(2)]
    got = losses.rank_loss(torch.tensor(z), torch.tensor(p))
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def test_rank_loss_gradient_is_that_of_the_double_loop() -> None:
    rng = np.random.default_rng(3)
    z, p = rng.normal(size=(1, 9, 2)), rng.integers(0, 3, size=(1, 9, 2)).astype(float)
    p[0, 2, 0] = np.nan
    tensor = torch.tensor(z, requires_grad=True)
    losses.rank_loss(tensor, torch.tensor(p)).sum().backward()
    numeric = np.zeros_like(z)
    step = 1e-6
    for index in np.ndindex(*z.shape):
        for sign in (1, -1):
            moved = z.copy()
            moved[index] += sign * step
            value = np.mean([rank_loss_by_pairs(moved[0, :, d], p[0, :, d]) for d in range(2)])
            numeric[index] += sign * value / (2 * step)
    np.testing.assert_allclose(tensor.grad, numeric, atol=1e-8)


def test_rank_loss_is_lowest_for_the_right_order_and_ignores_scale_of_labels() -> None:
    z = torch.randn(1, 40, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    right, wrong = losses.rank_loss(z, z), losses.rank_loss(z, -z)
    assert right < wrong
    assert losses.rank_loss(z, z.exp() * 7) == pytest.approx(right.item(), abs=1e-14)


def test_no_descriptor_means_no_rank_loss() -> None:
    assert losses.rank_loss(torch.randn(3, 5, 0), torch.randn(3, 5, 0)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: losses.reconstruction_loss(x, torch.linspace(0, 1, 60, dtype=torch.float64).view(1, 3, 20)),
        lambda x: losses.mutual_information_loss(x, torch.ones_like(x), 7),
        lambda x: losses.curvature_loss(x),
        lambda x: losses.free_correlation_loss(x, 15),
        lambda x: losses.adversarial_loss(x[..., :1], x[..., 1:2]),
    ],
)
def test_gradients(loss) -> None:
    x = torch.rand(2, 3, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(loss, (x,))


def test_free_correlation_equals_numpy() -> None:
    z = torch.randn(2, 50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).cumsum(-1)
    expected = [(np.corrcoef(points.T.numpy())[:3, 3:] ** 2).sum() for points in z]
    np.testing.assert_allclose(losses.free_correlation_loss(z, 3), expected, rtol=1e-10)
    assert losses.free_correlation_loss(z, 4).tolist() == [0, 0]


def test_losses_are_per_seed() -> None:
    a, b = torch.rand(2, 6, 20), torch.rand(2, 6, 20)
    for function in (losses.reconstruction_loss, losses.scaled_reconstruction_loss):
        both = function(a, b)
        assert both.shape == (2,)
        torch.testing.assert_close(both[1:], function(a[1:], b[1:]))


def test_scaled_reconstruction_forgives_a_common_factor() -> None:
    target = torch.rand(1, 4, 30) + 0.5
    assert losses.scaled_reconstruction_loss(1.1 * target, target).item() == pytest.approx(0.1 * 0.01, rel=1e-4)
    assert losses.scaled_reconstruction_loss(target, target).item() == pytest.approx(0, abs=1e-10)


def test_curvature_of_a_parabola() -> None:
    x = torch.arange(10.0).view(1, 1, -1)
    assert losses.curvature_loss(0.05 * x**2).item() == pytest.approx(100 * 0.1**2, rel=1e-4)
    assert losses.curvature_loss(3 * x + 1).item() == pytest.approx(0, abs=1e-8)


def test_blur_loss_vanishes_for_a_constant_and_matches_scipy() -> None:
    assert losses.blur_loss(torch.full((1, 2, 40), 0.7)).item() == pytest.approx(0, abs=1e-12)
    from scipy.ndimage import gaussian_filter1d

    y = np.random.default_rng(0).random((1, 3, 64))
    expected = np.mean((y - gaussian_filter1d(y, 3, axis=-1, mode="nearest", radius=8)) ** 2)
    assert losses.blur_loss(torch.tensor(y)).item() == pytest.approx(expected, rel=1e-6)


def test_adversarial_loss_of_a_blind_discriminator_is_log_two() -> None:
    zero = torch.zeros(3, 8, 1)
    np.testing.assert_allclose(losses.adversarial_loss(zero, zero), np.log(2), rtol=1e-6)


def test_gradient_reversal() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = losses.reverse_gradient(x, 0.3)
    assert y.tolist() == x.tolist()
    (y * torch.tensor([1.0, -2.0])).sum().backward()
    np.testing.assert_allclose(x.grad, [-0.3, 0.6], rtol=1e-6)

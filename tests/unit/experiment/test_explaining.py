"""Which axis explains a residual, against a decoder whose answer is known in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from engine.errors import DataError
from engine.experiment.explaining import explain

Array = npt.NDArray[np.float64]
# Orthonormal changes of the spectrum: axis i alone explains exactly its own part.
AXES = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 4)))[0].T
LOW, HIGH = np.full(3, -3.0), np.full(3, 3.0)


def decode(z: Array) -> Array:
    """A linear decoder (n, 3) -> (n, 40)."""
    return 1.0 + z @ AXES[:3]


def test_each_axis_explains_its_own_part_of_the_residual() -> None:
    start, truth = np.array([0.5, -1.0, 0.0]), np.array([0.5, 1.0, -1.5])
    mu = decode(truth[None])[0] + 0.5 * AXES[3]  # the last part is outside what the decoder can draw
    found = explain(decode, start, mu, LOW, HIGH)
    whole = 2.0**2 + 1.5**2 + 0.5**2
    assert found.rms == pytest.approx(np.sqrt(whole / 40))
    np.testing.assert_allclose(found.best, truth, atol=1e-6)
    np.testing.assert_allclose(found.explained, [0, 4 / whole, 2.25 / whole], atol=1e-6)
    np.testing.assert_allclose(found.together, truth, atol=1e-3)
    assert found.explained_together == pytest.approx(1 - 0.25 / whole, abs=1e-4)


def test_moves_stay_within_their_limits_and_never_make_it_worse() -> None:
    mu = decode(np.array([[9.0, 0.0, 0.0]]))[0]
    found = explain(decode, np.zeros(3), mu, LOW, HIGH)
    np.testing.assert_allclose(found.best, [3, 0, 0], atol=1e-6)
    assert found.explained[0] == pytest.approx(1 - 36 / 81)
    outside = explain(decode, np.array([5.0, 0.0, 0.0]), mu, LOW, HIGH)  # encoded beyond the limits, the right way
    assert outside.best[0] == pytest.approx(5.0)
    assert outside.explained_together == 0.0


def test_limits_must_fit_the_point() -> None:
    with pytest.raises(DataError, match="need low < high"):
        explain(decode, np.zeros(3), np.ones(40), LOW, LOW)

"""Standards against lines that are known, and every way in which they cannot be a line."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.experiment.prediction import Calibrated, Prediction
from engine.experiment.standards import Standard, on_standards, standards_of

NAMES = ("FeO", "Fe2O3", "Fe2O3 new", "film 1")
SAID = np.array([2.5, 4.0, 4.1, 3.1])


def prediction(said: np.ndarray = SAID) -> Prediction:
    one, n = Calibrated(said, said - 0.3, said + 0.6), len(said)
    odd = np.zeros((n, 3))
    return Prediction(
        ("OS", "CN"), 0.9, {"OS": one, "CN": one}, odd[:, :2], {}, odd, odd, odd, odd, np.zeros((n, 3), bool)
    )


def test_a_line_through_two_standards_goes_through_both_and_carries_intervals_along() -> None:
    standards = standards_of("FeO OS=2\n\nFe2O3 OS=3", NAMES, ("OS", "CN"))
    found = on_standards(prediction(), NAMES, standards)
    assert list(found.standards) == ["OS"]
    one = found.standards["OS"]
    np.testing.assert_allclose(one.interval.value, [2, 3, 3 + 0.1 / 1.5, 2.4])
    np.testing.assert_allclose(one.interval.high - one.interval.value, 0.6 / 1.5)
    np.testing.assert_allclose(one.interval.value - one.interval.low, 0.3 / 1.5)
    assert "0.67 × OS +0.33" in one.line
    assert "two do not show" in one.line
    assert found.ensemble["OS"].value is SAID


def test_more_standards_widen_by_the_farthest_and_what_lies_beyond_them_is_told() -> None:
    standards = [Standard("FeO", "OS", 2), Standard("Fe2O3", "OS", 3), Standard("film 1", "OS", 3)]
    said = np.array([1.0, 2.0, 9.0, 3.0])
    one = on_standards(prediction(said), NAMES, standards).standards["OS"]
    # Least squares by hand: slope 1/2, offset 5/3; residuals -1/6, 1/3, -1/6.
    np.testing.assert_allclose(one.interval.value, [13 / 6, 8 / 3, 37 / 6, 19 / 6])
    np.testing.assert_allclose(one.interval.high - one.interval.value, 0.3 + 1 / 3)
    np.testing.assert_array_equal(one.beyond, [False, False, True, False])
    assert "the farthest is 0.33 from it" in one.line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Fe3O4 OS=2", r"line 1: 'Fe3O4 OS=2'; begins with the name of no spectrum; there is FeO"),
        ("FeO OS=2\nFeO CN=6", "line 2: .*stands in a line above"),
        ("FeO", "say what is known of it, such as OS=3"),
        ("FeO BOND=2", "'BOND' is not predicted, only OS, CN"),
        ("FeO OS=two", "'two' is not a finite number"),
        ("FeO OS=nan", "'nan' is not a finite number"),
        ("FeO OS", "'' is not a finite number"),
    ],
)
def test_lines_that_cannot_be_read_are_refused(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        standards_of(text, NAMES, ("OS", "CN"))


def test_the_longest_name_that_fits_is_meant() -> None:
    assert standards_of("Fe2O3  new OS=3, CN=6\nFe2O3 OS=3", NAMES, ("OS", "CN")) == [
        Standard("Fe2O3 new", "OS", 3), Standard("Fe2O3 new", "CN", 6), Standard("Fe2O3", "OS", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FeO OS=2", "needs two known values that differ; given: FeO 2"),
        ("Fe2O3 OS=3\nFe2O3 new OS=3", "needs two known values that differ"),
        ("FeO OS=3\nFe2O3 OS=2", "slope -0.67"),
        ("Fe2O3 OS=2\nFe2O3 new OS=3", "slope 10"),
        ("FeO OS=2\nFe2O3 OS=2.2", "slope 0.13"),
    ],
)
def test_standards_that_the_model_does_not_follow_are_refused(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        on_standards(prediction(), NAMES, standards_of(text, NAMES, ("OS", "CN")))
    equal = prediction(np.full(4, 3.0))
    with pytest.raises(DataError, match="slope inf"):
        on_standards(equal, NAMES, standards_of("FeO OS=2\nFe2O3 OS=3", NAMES, ("OS",)))

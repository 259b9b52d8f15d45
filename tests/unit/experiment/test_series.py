"""What orders a series: numbers in names of the kinds that people give files, and values as they are pasted."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.experiment.series import given_series, series_in_names


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["film_Ti0.06_s1", "film_Ti0.39_s1", "film_Ti0.71_s1"], [0.06, 0.39, 0.71]),
        (["CuO_300K_001", "CuO_310K_001", "CuO_320K_001"], [300, 310, 320]),
        (["scan-001", "scan-002", "scan-003"], [1, 2, 3]),  # a dash between two parts is no minus
        (["T_-20C", "T_0C", "T_20C"], [-20, 0, 20]),
        (["x0p25", "x0p5", "x0p75"], [0.25, 0.5, 0.75]),
        (["001_300K", "002_310K", "003_320K"], [300, 310, 320]),  # as many numbers: the one with a unit
        (["a_1", "a_2", "a_3", "reference"], [1, 2, 3, np.nan]),
    ],
)
def test_the_number_that_changes_is_found_in_names(names: list[str], values: list[float]) -> None:
    found = series_in_names(names)
    assert found is not None
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("names", [[], ["CuO", "Cu2O", "Cu"], ["a_1", "a_1", "a_1"], ["a_1", "a_2"]])
def test_names_without_a_series_have_none(names: list[str]) -> None:
    assert series_in_names(names) is None


def test_values_are_given_in_order_or_by_name() -> None:
    np.testing.assert_array_equal(given_series("0.1\n0.2\n\n0.3", ["a", "b", "c"]).values, [0.1, 0.2, 0.3])
    by_name = given_series("b; 2\nthe first, 1", ["the first", "b", "c"])
    np.testing.assert_array_equal(by_name.values, [1, 2, np.nan])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1\n2", "2 values for 3 spectra"),
        ("a 1\nd 2", "line 2: no spectrum is called 'd'"),
        ("a 1\na 2", "line 2: 'a' has a value already, 1"),
        ("a 1\nb warm", "line 2: 'b warm'; need a name and a finite number"),
        ("a 1\nb nan", "line 2"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_their_line(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        given_series(text, ["a", "b", "c"])

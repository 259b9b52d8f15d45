"""Scores against scipy, scikit-learn and exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from engine.analysis import scores
from engine.analysis.selection import selection_scores, selection_table


def test_rank_correlation_equals_scipy_and_leaves_unknown_out() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=50), rng.integers(0, 4, 50).astype(float)
    assert scores.rank_correlation(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    b[:10] = np.nan
    assert scores.rank_correlation(a, b) == pytest.approx(stats.spearmanr(a[10:], b[10:]).statistic)
    assert np.isnan(scores.rank_correlation(a, np.ones(50)))
    assert np.isnan(scores.rank_correlation(a, np.full(50, np.nan)))


def test_axis_correlation_equals_scipy() -> None:
    z = np.random.default_rng(1).normal(size=(60, 4)) @ np.random.default_rng(2).normal(size=(4, 4))
    np.testing.assert_allclose(scores.axis_correlation(z), stats.spearmanr(z).statistic, atol=1e-12)
    every, free = scores.largest_correlations(z, 3)
    matrix = np.abs(stats.spearmanr(z).statistic)
    assert every == pytest.approx(matrix[np.triu_indices(4, 1)].max())
    assert free == pytest.approx(matrix[3, :3].max())
    assert scores.largest_correlations(z, 4)[1] == 0


def test_categorical() -> None:
    assert scores.is_categorical(np.array([1, 2, np.nan, 3]))
    assert not scores.is_categorical(np.array([1.0, 1.5]))
    assert not scores.is_categorical(np.arange(40.0))
    assert not scores.is_categorical(np.ones(5))


def test_weighted_f1_equals_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth, guess = rng.integers(0, 5, 200).astype(float), rng.integers(0, 5, 200).astype(float)
    value, counts = scores.classification_score(truth, guess)
    assert value == pytest.approx(f1_score(truth, guess, average="weighted"))
    assert sum(n for n, _ in counts.values()) == 200
    truth[:20] = np.nan
    assert scores.classification_score(truth, guess)[0] == pytest.approx(
        f1_score(truth[20:], guess[20:], average="weighted", labels=np.unique(truth[20:]))
    )


@given(seed=st.integers(0, 1000), n=st.integers(4, 14), classes=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_thresholds_are_as_good_as_exhaustive_search(seed: int, n: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n).astype(float)
    z = labels + rng.normal(size=n)
    chosen = scores.fit_thresholds(z, labels, blur=0)
    got = scores.classification_score(labels, chosen.classify(z))[0]
    present = np.unique(labels)
    edges = np.concatenate([[-np.inf], np.sort(z), [np.inf]])
    best = max(
        scores.classification_score(labels, scores.Thresholds(tuple(present), cuts).classify(z))[0]
        for cuts in itertools.combinations_with_replacement(edges, len(present) - 1)
    )
    assert got == pytest.approx(best)


def test_thresholds_recover_separated_classes_and_keep_unknown_out() -> None:
    z = np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 40), np.linspace(5, 6, 10)])
    labels = np.repeat([1.0, 2.0, 3.0], [30, 40, 10])
    labels[0] = np.nan
    thresholds = scores.choose_thresholds(z, labels, z[::2], labels[::2])
    assert thresholds is not None
    assert thresholds.classes == (1, 2, 3)
    assert (thresholds.classify(np.array([0.5, 2.5, 5.5])) == [1, 2, 3]).all()
    assert scores.descriptor_score(z, labels, thresholds).f1 == 1


def test_thresholds_are_fitted_on_training_and_chosen_on_validation() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(4, 7, 400).astype(float)
    z = labels + 0.6 * rng.normal(size=400)
    train, validation = slice(0, 300), slice(300, 400)
    chosen = scores.choose_thresholds(z[train], labels[train], z[validation], labels[validation])
    candidates = [scores.fit_thresholds(z[train], labels[train], blur) for blur in scores.CUT_BLURS]
    on_validation = [scores.classification_score(labels[validation], c.classify(z[validation]))[0] for c in candidates]
    assert chosen == candidates[int(np.argmax(on_validation))]
    assert len(set(candidates)) > 1
    unknown = np.full(100, np.nan)
    assert scores.choose_thresholds(z[train], labels[train], z[validation], unknown) == candidates[0]
    assert scores.choose_thresholds(z[:100], unknown, z[validation], labels[validation]) is None


def test_normality_prefers_a_gaussian() -> None:
    rng = np.random.default_rng(4)
    gauss, flat = rng.normal(size=(2000, 2)), rng.uniform(size=(2000, 2)) ** 4
    assert scores.normality(gauss) > 0.99 > scores.normality(flat)


def test_reconstruction_error_closed_form() -> None:
    rmse, mae = scores.reconstruction_error(np.zeros((2, 2)), np.array([[3.0, 0.0], [0.0, -1.0]]))
    assert rmse == pytest.approx(np.sqrt(10 / 4))
    assert mae == pytest.approx(1.0)


def member(seed: int, cn: float, free: float) -> scores.MemberScores:
    score = {"CN": scores.DescriptorScore(cn, float("nan"), {})}
    return scores.MemberScores(seed, 10, 0.05, 0.03, score, free, free, 1.0)


def test_selection_is_the_sum_of_z_scores_of_equation_two() -> None:
    members = [member(0, 0.8, 0.1), member(1, 0.9, 0.3), member(2, 0.85, 0.05)]
    free, cn = np.array([-0.1, -0.3, -0.05]), np.array([0.8, 0.9, 0.85])
    expected = (free - free.mean()) / free.std() + (cn - cn.mean()) / cn.std()
    np.testing.assert_allclose(selection_scores(members), expected)
    assert set(selection_table(members)) == {"free axis correlation", "CN srcc"}


def test_selection_of_equal_or_single_members_is_neutral() -> None:
    assert selection_scores([member(0, 0.8, 0.1)]).tolist() == [0]
    assert selection_scores([member(0, 0.8, 0.1), member(1, 0.8, 0.1)]).tolist() == [0, 0]


def test_selection_never_prefers_an_undefined_score() -> None:
    broken = member(1, float("nan"), 0.0)
    assert selection_scores([member(0, 0.5, 0.1), broken, member(2, 0.6, 0.2)]).argmax() != 1

"""Which runs compare: sets that differ in descriptors nobody shares do, anything else that is not the same does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.run import Run
from engine.model.training import begin, train
from engine.spectra import SpectraSet
from engine.study.footing import Footing, footing, on_one_footing
from engine.study.report import report_page
from tests.synthetic import make_set

Make = Callable[..., Footing]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Begins a run on a set and says what it stands on."""

    def made(name: str, spectra: SpectraSet, descriptors: Sequence[str], **settings: object) -> Footing:
        path = tmp_path / f"{name}.parquet"
        write_set(spectra, path)
        config = make_config("default", descriptors=descriptors, seeds=(0,), epochs=2, hidden=8, **settings)
        begin(spectra, path, config, tmp_path / name, resume=False)
        return footing(Run(tmp_path / name))

    return made


def with_labels(spectra: SpectraSet, **columns: object) -> SpectraSet:
    return replace(spectra, descriptors=spectra.descriptors.assign(**columns))


def test_more_columns_do_not_matter_but_every_thing_that_is_compared_does(make: Make) -> None:
    spectra = make_set(90, 24)
    before = make("before", spectra, ("OS", "CN"))
    more = with_labels(spectra, BVS=np.arange(90.0), WAVE=0.0)
    after = make("after", more, ("OS", "CN", "BVS"))
    assert before.set_hash != after.set_hash
    assert before.compares_with(after)
    assert after.compares_with(before)
    assert before.compares_with(make("order", spectra, ("CN", "OS")))
    mu = spectra.mu.copy()
    mu[7, 3] += 1e-6
    different = {
        "spectrum": replace(more, mu=mu),
        "energy": replace(more, energy_ev=spectra.energy_ev + 1e-3),
        "site": replace(more, site_id=np.char.add("x", spectra.site_id)),
        "label": with_labels(more, CN=spectra.descriptors["CN"].where(np.arange(90) != 5)),
    }
    for name, other in different.items():
        assert not before.compares_with(make(name, other, ("OS", "CN", "BVS"))), name
    assert before.compares_with(make("unused", different["label"], ("OS", "BVS")))
    assert not before.compares_with(make("split", more, ("OS", "CN", "BVS"), split_seed=1))
    assert not before.compares_with(make("same_set", spectra, ("OS",), split_seed=1))


def test_groups_hold_only_runs_that_all_compare(make: Make) -> None:
    spectra = make_set(90, 24)
    other = with_labels(spectra, OS=spectra.descriptors["OS"] % 3)
    stands = [
        make("a", spectra, ("OS",)),
        make("b", other, ("CN",)),
        make("c", other, ("CN", "OS")),
        make("d", spectra, ("OS", "CN")),
    ]
    assert stands[0].compares_with(stands[1])
    assert on_one_footing(stands) == [[0, 1, 3], [2]]


def test_a_set_that_is_gone_or_has_changed_compares_only_by_its_hash(make: Make, tmp_path: Path) -> None:
    spectra = make_set(90, 24)
    before, same = make("before", spectra, ("OS",)), make("same", spectra, ("OS", "CN"))
    after = make("after", with_labels(spectra, BVS=1.0), ("OS", "CN"))
    (tmp_path / "after.parquet").unlink()
    assert not before.compares_with(after)
    write_set(with_labels(spectra, BVS=2.0), tmp_path / "after.parquet")
    assert not before.compares_with(after)
    write_set(with_labels(spectra, BVS=1.0), tmp_path / "after.parquet")
    assert before.compares_with(after)
    for name in ("before", "same"):
        (tmp_path / f"{name}.parquet").unlink()
    assert before.compares_with(same)
    (tmp_path / "before" / "data.json").write_text("{}")
    with pytest.raises(DataError, match="does not say what the run was trained on"):
        footing(Run(tmp_path / "before"))


def test_the_report_of_a_run_on_a_set_with_candidates_begins_its_chain_where_it_came_from(tmp_path: Path) -> None:
    spectra = make_set(90, 24)
    more = with_labels(spectra, BVS=spectra.descriptors["WAVE"] ** 2)
    settings = {"seeds": (0,), "epochs": 2, "hidden": 8}
    for name, one, descriptors in (("first", spectra, ("OS",)), ("second", more, ("OS", "BVS"))):
        write_set(one, tmp_path / f"{name}.parquet")
        config = make_config("default", descriptors=descriptors, **settings)
        train(one, tmp_path / f"{name}.parquet", config, tmp_path / "runs" / name)
    page = report_page(Run(tmp_path / "runs" / "second"), [tmp_path / "runs"])
    assert "Descriptors added one by one (Fig. S4)" in page
    assert "<td>+ BVS</td>" in page
    assert "The run first on the same spectra" in page

"""The Compare part in Chromium against a real server: choose members, look at every panel, take a table away."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

from engine.analysis.comparison import compare_scores
from engine.model.config import make_config
from engine.model.run import Run
from tests.synthetic import fill_workspace, make_set

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two runs on one set, one of whose descriptors has a hostile name."""
    made = make_set(150)
    spectra = replace(made, descriptors=made.descriptors.rename(columns={"WAVE": HOSTILE}))
    runs = {
        run: make_config("default", descriptors=descriptors, seeds=(0, 1), epochs=5, hidden=16)
        for run, descriptors in {"short": ("OS",), "long": ("OS", HOSTILE)}.items()
    }
    return fill_workspace(tmp_path_factory.mktemp("workspace"), spectra, runs)


def test_members_side_by_side(start_server: Callable[..., Any], open_tab: Callable[..., Any], workspace: Path) -> None:
    server = start_server(workspace)
    tab = open_tab(server)
    tab.part("Compare")
    tab.see("Mean decoded spectra")
    tab.see("/A · .* · seed \\d/")

    def panel(name: str, words: str) -> None:
        tab.page.get_by_role("button", name=name, exact=True).click()
        tab.see(words)

    assert len(tab.data("level")) == 20
    panel("Differentials", "cosine of the angle")
    tab.wait(lambda: len(tab.data("change")) == 48)
    panel("Latent", "Sites of the test part alone")
    tab.wait(lambda: len(tab.data("feature")) == len(Run(workspace / "runs" / "long").split().test))
    panel("Elements", "Train one on a set of another absorber")
    panel("Chains", "Amplitude of the free axis")
    assert np.isfinite(tab.data("y", beside="step")).all()
    panel("Seeds", "Selection score (Eq. 2)")
    panel("Scores", "Behind each score")

    tab.page.get_by_label("Member").last.click()
    tab.page.get_by_role("menuitem", name="seed").filter(has_not_text="selected").first.click()
    tab.page.get_by_role("button", name="Add", exact=True).click()
    tab.see("/C · Cu · seed/")
    with tab.page.expect_download() as waited:
        tab.see("CSV").click()
    table = pd.read_csv(io.StringIO(Path(waited.value.path()).read_text(encoding="utf-8")))
    assert list(table.columns[:3]) == ["run", "seed", "set_hash"]
    places = [(run, seed) for run, seed in table[["run", "seed"]].drop_duplicates().itertuples(index=False)]
    scores = [Run(workspace / "runs" / run).scores().iloc[seed].to_dict() for run, seed in places]
    np.testing.assert_allclose(table["difference"], compare_scores(scores)["difference"], rtol=1e-6, atol=1e-9)

    chips = tab.page.get_by_role("button", name="✕")
    tab.wait(lambda: chips.count() == 3)
    for left in (2, 1):
        chips.last.click()
        tab.wait(lambda left=left: chips.count() == left)  # none stand there while they are drawn anew
    tab.see("Choose at least two members")

    assert tab.page.evaluate("window.hacked") is None
    assert tab.errors == []
    hosts = {urlsplit(url).hostname for url in tab.requests if urlsplit(url).scheme not in ("data", "blob")}
    assert hosts == {"127.0.0.1"}
    assert server.complaints() == []

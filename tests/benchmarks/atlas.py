"""Maps of real and embedded spectra: what cleaning leaves, what the map keeps, how new spectra land, what it costs.

    python -m tests.benchmarks.atlas [--part quality|placement|scale] [--data data] [--method umap] [--umap 10000]

quality    `tm_unlabelled` of the real data and, where the data folder has it, `periodic-47`: report, scores, seconds
placement  a tenth of the spectra kept from the map and placed on it: by its nearest spectra, by umap-learn's transform
scale      seconds and peak memory of each stage at 10,000, 74,000 and 300,000 spectra mixed from real ones; UMAP up to
           the number given by --umap
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine.atlas.cleaning import CleaningRules, clean
from engine.atlas.commands import score_lines
from engine.atlas.embedding import Embedding, embed, reducer
from engine.atlas.make import make_atlas
from engine.atlas.scores import distances, neighbourhoods
from engine.atlas.source import read_spectra
from engine.atlas.store import PLACED_BY, Atlas, place
from engine.io import StepTable
from engine.spectra import RawSpectra
from tests.benchmarks.numbers import Rows, Tables, add_json, keep

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
TRANSITION_METALS = REAL_DATA / "tm_unlabelled" / "spectra.parquet"
DIVIDED = CleaningRules(absolute="divide")


def quality(data: Path, how: Embedding) -> None:
    for path, rules in ((TRANSITION_METALS, DIVIDED), (data / "periodic-47.parquet", CleaningRules())):
        if not path.exists():
            print(f"\n{path.name}: not there")
            continue
        made = make_atlas(path, rules, how)
        print("\n".join(["", *made.report.lines(), *score_lines(dict(made.atlas.scores)), str(made.seconds)]))


def placement(how: Embedding, n: int) -> None:
    table = clean(read_spectra(TRANSITION_METALS), DIVIDED).table
    order = np.random.default_rng(0).permutation(len(table.mu))[:n]
    new, old = order[: n // 10], order[n // 10 :]
    fitted = reducer(how)
    xy = fitted.fit_transform(table.mu[old])
    part = StepTable(
        table.sites.iloc[old], table.descriptors.iloc[old], table.mu[old], table.relative_ev, table.start_ev, ""
    )
    atlas = Atlas(part, xy, how, {}, {}, np.zeros(101))
    apart = distances(table.mu[new], part.mu, how.metric)
    near = np.argsort(apart, axis=1)[:, :PLACED_BY]

    def kept(points: np.ndarray) -> float:
        """Share of the nearest spectra of the map that are also its nearest points."""
        shown = np.argsort(distances(points, xy, "euclidean"), axis=1)[:, :PLACED_BY]
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(near, shown, strict=True)]))

    spread = float(np.linalg.norm(xy - xy.mean(axis=0), axis=1).mean())
    drawn = np.random.default_rng(1).permutation(len(old))[: len(new)]
    print(
        f"\n{len(new)} spectra placed on a map of {len(old)}; mean distance of its points from their mean {spread:.2f}"
    )
    ways: dict[str, Callable[[], np.ndarray]] = {
        "nearest spectra": lambda: place(atlas, table.mu[new]).xy,
        "umap-learn's transform": lambda: np.asarray(fitted.transform(table.mu[new])),
        "at random": lambda: xy[drawn],
    }
    ways["point of the nearest spectrum"] = lambda: xy[near[:, 0]]
    points = {}
    for name, way in ways.items():
        began = time.perf_counter()
        points[name] = way()
        print(f"{name:30} {kept(points[name]):.3f} of neighbours kept, {time.perf_counter() - began:.2f} s")
    apart_on_map = np.linalg.norm(points["nearest spectra"] - points["umap-learn's transform"], axis=1)
    print(
        f"the first two are {np.median(apart_on_map):.2f} apart (median), {np.quantile(apart_on_map, 0.9):.2f} (90 %)"
    )
    itself = neighbourhoods(part.mu, xy, k=PLACED_BY, metric=how.metric, rows=len(new))
    print(f"points of the map itself: {itself.preserved:.3f} of neighbours kept")


def mixed(n: int) -> RawSpectra:
    """n spectra, each a random mixture of two real ones of an element with a little noise; one in twenty a repeat."""
    raw = read_spectra(TRANSITION_METALS)
    rng = np.random.default_rng(0)
    elements = np.array(raw.element)
    names = np.unique(elements)
    mu, of, energies = np.empty((n, len(raw.mu[0])), dtype=np.float32), np.repeat(names, -(-n // names.size))[:n], {}
    for name in names:
        real, to = np.flatnonzero(elements == name), np.flatnonzero(of == name)
        stored = np.stack([raw.mu[row] for row in real])
        first, second = rng.integers(0, real.size, (2, to.size))
        share = rng.random((to.size, 1))
        mu[to] = share * stored[first] + (1 - share) * stored[second]
        mu[to] *= 1 + 0.01 * rng.normal(size=(to.size, 1))
        again = to[1:][rng.random(to.size - 1) < 0.05]
        mu[again] = mu[again - 1] * 1.0005
        energies[str(name)] = raw.energy_ev[real[0]]
    ids = [f"m-{i}_000" for i in range(n)]
    return RawSpectra(
        [energies[str(e)] for e in of], list(mu), ids, ids, of.tolist(), raw.descriptors.iloc[:0].reindex(range(n)),
        "mixed", "mixed", "mixed",
    )  # fmt: skip


def scale(how: Embedding, largest: int, sizes: Sequence[int]) -> Tables:
    """Seconds and peak memory of every stage per number of spectra; ``largest`` bounds what is mapped."""
    tables: Tables = {}
    print(f"\n{'spectra':>9} {'stage':18} {'s':>8} {'peak MB':>8}")
    for n in sizes:
        raw = mixed(n)
        rows = tables[f"atlas of {n} spectra"] = {}
        began = time.perf_counter()

        def tell(stage: str, n: int = n, rows: Rows = rows) -> None:
            nonlocal began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rows[stage] = {"s": time.perf_counter() - began, "peak MB": peak}
            print(f"{n:9} {stage:18} {rows[stage]['s']:8.1f} {peak:8.0f}", flush=True)
            began = time.perf_counter()

        cleaned = clean(raw, DIVIDED, lambda _done, _total, step: tell(step))
        began = time.perf_counter()
        if n <= largest:
            xy = embed(cleaned.table.mu, how)
            tell(how.method)
            neighbourhoods(cleaned.table.mu, xy, metric=how.metric)
            tell("scores")
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["quality", "placement", "scale"])
    parser.add_argument("--data", type=Path, default=REPOSITORY / "data")
    parser.add_argument("--method", default="umap")
    parser.add_argument("--umap", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=10**9, help="spectra of the placement at most")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 74_000, 300_000], help="of part scale")
    add_json(parser)  # of part scale
    given = parser.parse_args()
    how = Embedding(given.method)
    if given.part in (None, "quality"):
        quality(given.data, how)
    if given.part in (None, "placement"):
        placement(Embedding(), given.n)
    if given.part in (None, "scale"):
        keep(scale(how, given.umap, given.sizes), given.json)


if __name__ == "__main__":
    main()

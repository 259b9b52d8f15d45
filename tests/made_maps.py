"""A made-up map of two elements whose sites lie where one can say: Cu at the left, Ni at the right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from engine.atlas.embedding import Embedding
from engine.atlas.scores import distances
from engine.atlas.store import Atlas, write_atlas
from engine.io import StepTable
from tests.measured_files import step_spectrum

EDGES_EV = {"Cu": 8984.0, "Ni": 8338.0}
RELATIVE_EV = np.linspace(0.0, 35.0, 200)


def made_map(copper: int = 60, nickel: int = 40, copies: int = 1) -> Atlas:
    """OS 0 to 3 shifts the edge by 0.4 eV each; every tenth is not known; Ni has a bump; material ids say the number.

    Materials of even number are monoxides, the others sesquioxides, every second of these not reduced.

    Cu fills the square from (0, 0) to (1, 1), Ni the one from (3, 0), both along its diagonal. ``copies`` of all sites,
    other than in their ids, make a large map quickly.
    """
    elements = np.repeat(["Cu", "Ni"], [copper, nickel])
    number = np.concatenate([np.arange(copper), np.arange(nickel)])
    states = (number % 4).astype(float)
    mu = np.stack([step_spectrum(RELATIVE_EV, 8.0 + 0.4 * s + 0.002 * i) for s, i in zip(states, number, strict=True)])
    mu[elements == "Ni"] += 0.2 * np.exp(-(((RELATIVE_EV - 12.0) / 2.0) ** 2))
    states[number % 10 == 9] = np.nan
    along = number / np.repeat([copper, nickel], [copper, nickel])
    table = StepTable(
        sites=pd.DataFrame({
            "site_id": [f"m-{e}{i // 2}_{i % 2:03d}" for e, i in zip(elements, number, strict=True)],
            "material_id": [f"m-{e}{i // 2}" for e, i in zip(elements, number, strict=True)],
            "element": elements,
        }),
        descriptors=pd.DataFrame({"OS": states, "CN": 4.0 + number % 3}),
        mu=mu.astype(np.float32),
        relative_ev=RELATIVE_EV,
        start_ev={element: edge - 8.0 for element, edge in EDGES_EV.items()},
        origin="made up",
    )  # fmt: skip
    xy = np.column_stack([along + 3.0 * (elements == "Ni"), along]).astype(np.float32)
    apart = distances(mu, mu, "euclidean") + np.diag(np.full(len(mu), np.inf))
    nearest = np.percentile(apart.min(axis=1), np.arange(101))
    oxides = [("{}O", "{}2O3", "{}O", "{}4O6")[i // 2 % 4].format(e) for e, i in zip(elements, number, strict=True)]
    atlas = Atlas(table, xy, Embedding(neighbours=15), {}, {}, nearest, tuple(oxides))
    return atlas if copies == 1 else _copied(atlas, copies)


def _copied(atlas: Atlas, copies: int) -> Atlas:
    table = atlas.table
    sites = pd.concat([table.sites] * copies, ignore_index=True)
    sites["site_id"] = [f"{site}-{i}" for i, site in enumerate(sites["site_id"])]
    descriptors = pd.concat([table.descriptors] * copies, ignore_index=True)
    many = replace(table, sites=sites, descriptors=descriptors, mu=np.tile(table.mu, (copies, 1)))
    return replace(atlas, table=many, xy=np.tile(atlas.xy, (copies, 1)), formula=atlas.formula * copies)


def put_map(workspace: Path, name: str, atlas: Atlas) -> Path:
    """Stores a map in a workspace of the app under an id."""
    path = workspace / "maps" / name / "atlas.parquet"
    path.parent.mkdir(parents=True)
    write_atlas(atlas, path)
    return path

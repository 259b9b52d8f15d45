"""What can be exported of a trained member: a decoded spectrum, traversals, differentials, where its set lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

import engine
from engine.analysis.scores import FloatArray
from engine.analysis.traversal import LEVELS, SAMPLES, cosine_overlap
from engine.errors import ConfigError
from engine.io.exported import Exported
from engine.io.traversal_csv import traversal_table
from engine.model.latent_model import LatentModel, traverse_axis
from engine.model.run import Run

MU = "edge-normalised, no unit"


def _about(run: Run, model: LatentModel) -> dict[str, str]:
    """Provenance that every export carries."""
    data, config = run.data(), run.config()
    return {
        "set_hash": str(data["hash"]),
        "set_origin": str(data.get("origin", "")),
        "run": run.path.name,
        "seed": str(model.seed),
        "axes": ", ".join(model.axis_names),
        "split": config.split,
        "program": f"RankAAE Explorer {engine.__version__}",
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def export_spectrum(run: Run, model: LatentModel, latent: Sequence[float]) -> Exported:
    """The spectrum decoded at a latent point (k,)."""
    z = np.array([latent], dtype=np.float64)
    mu = model.decode(z)[0].astype(np.float64)
    point = ", ".join(f"{name} {value:.6g}" for name, value in zip(model.axis_names, latent, strict=True))
    return Exported(
        f"decoded spectrum at {point}",
        f"spectrum-seed-{model.seed}",
        pd.DataFrame({"energy_ev": model.energy_ev, "mu": mu}),
        {"energy_ev": model.energy_ev, "mu": mu, "latent": z[0]},
        {"energy_ev": "eV", "mu": MU},
        _about(run, model),
    )


def export_traversal(
    run: Run, model: LatentModel, axis: str, *, levels: int = LEVELS, samples: int = SAMPLES
) -> Exported:
    """The paper's traversal of one axis, the numbers of ``rankaae traverse``."""
    traversal = traverse_axis(model, axis, levels=levels, samples=samples)
    return Exported(
        f"mean decoded spectra along latent axis {axis}",
        f"traversal-{_safe(axis)}-seed-{model.seed}",
        traversal_table(traversal),
        {
            "energy_ev": traversal.energy_ev,
            "level": traversal.level,
            "mu": traversal.mu,
            "spread": traversal.spread,
            "differential": traversal.differential,
        },
        {"energy_ev": "eV", "mu": MU, "spread": MU, "differential": MU},
        {**_about(run, model), "axis": axis, "draws_of_other_axes": str(samples)},
    )


def export_differentials(run: Run, model: LatentModel, *, levels: int = 2, samples: int = SAMPLES) -> Exported:
    """What every axis does from its 5th to its 95th percentile: differential spectra, and their cosine overlap."""
    rows = [traverse_axis(model, axis, levels=levels, samples=samples).differential for axis in model.axis_names]
    differentials: FloatArray = np.array(rows)
    columns = dict(zip(model.axis_names, differentials, strict=True))
    return Exported(
        "differential spectra of all latent axes, 95th minus 5th percentile",
        f"differentials-seed-{model.seed}",
        pd.DataFrame({"energy_ev": model.energy_ev, **columns}),
        {
            "energy_ev": model.energy_ev,
            "axis": np.array(model.axis_names),
            "differential": differentials,
            "cosine_overlap": cosine_overlap(differentials),
        },
        {"energy_ev": "eV", "differential": MU},
        {**_about(run, model), "draws_of_other_axes": str(samples)},
    )


def export_latents(run: Run, model: LatentModel) -> Exported:
    """Where every site of the run's set lies on the axes, which part of the split it is in, and its descriptors.

    RunError when the set is gone or has changed.
    """
    spectra, split = run.spectra(), run.split()
    z = model.encode(spectra.mu).astype(np.float64)
    part = np.full(len(spectra), "none", dtype="<U10")
    for name in ("train", "validation", "test"):
        part[getattr(split, name)] = name
    labels = spectra.descriptors
    table = pd.DataFrame(
        {"site_id": spectra.site_id, "material_id": spectra.material_id, "element": spectra.element, "part": part}
    )
    axes = pd.DataFrame({f"latent {name}": z[:, i] for i, name in enumerate(model.axis_names)})
    return Exported(
        "latent points of the sites of the training set",
        f"latent-points-seed-{model.seed}",
        pd.concat([table, axes, labels], axis=1),
        {
            **{str(name): table[name].to_numpy() for name in table.columns},
            "axis": np.array(model.axis_names),
            "latent": z,
            "descriptor": np.array([str(name) for name in labels.columns]),
            "descriptor_values": labels.to_numpy(dtype=np.float64),
        },
        {},
        _about(run, model),
    )


def export_result(run: Run, model: LatentModel, what: str, latent: Sequence[float], axis: str = "") -> Exported:
    """One of the above by name: spectrum, traversal (of ``axis``), differentials or latents."""
    makers: dict[str, Callable[[], Exported]] = {
        "spectrum": lambda: export_spectrum(run, model, latent),
        "traversal": lambda: export_traversal(run, model, axis),
        "differentials": lambda: export_differentials(run, model),
        "latents": lambda: export_latents(run, model),
    }
    if what not in makers:
        raise ConfigError(f"'{what}' cannot be exported; there are {', '.join(makers)}")
    return makers[what]()


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "axis"

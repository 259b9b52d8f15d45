"""What a reader of an embedded set must know: an entry in ``manifest.toml`` and a data card, with counted numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.embedded.manifest import file_entry, put_entry
from engine.generation.materials import Material
from engine.io.files import atomic_target

RANGES = ("OS", "CN", "OCN", "NNRS", "MOOD", "BL_MEAN")
UNITS = {"energy": "eV, absolute photon energy", "mu": "atomic background is 1 at 50 eV above the Fermi level"}

HOW = """Structures are not taken from any database. They are published standard compounds, and structure types (those
that ship with pymatgen and those of the published compounds) filled with charge-balanced ions in states and
coordinations known for them (Shannon). Cells are scaled and atoms moved until bond-valence sums fit the oxidation
states; copies with seeded displacements and strains, which keep a random part of the symmetry, spread the bond
lengths. Spectra are full multiple scattering in muffin-tin potentials by this program. Descriptors are computed from
the structures by the same code as for any import; a distorted copy shares its material_id with the undistorted
structure, so that a split by material keeps them on one side."""

NOT_FOR = """* Not for stating the oxidation state or coordination of a measured spectrum without first comparing with
  measured or reference spectra of known compounds: absolute edges and near-edge intensities carry the simulation's
  errors.
* Not as a catalogue of compounds: most substituted structures were never made and may not exist.
* Not for frequencies: classes were balanced on purpose, and say nothing about how common an environment is.
* Not for dynamics, mixed valence on one site, disorder, defects or surfaces, none of which is in it."""


@dataclass(frozen=True, eq=False)
class Account:
    """What was built: files, settings, descriptors per element, structures per element, (site, reason) of failures.

    ``notes`` are what the simulation had to say, with how many spectra it says it of.
    """

    name: str
    title: str
    files: tuple[Path, ...]
    settings: Mapping[str, object]
    seed: int
    version: str
    tables: Mapping[str, pd.DataFrame]
    materials: Mapping[str, Sequence[Material]]
    failures: tuple[tuple[str, str], ...]
    notes: Mapping[str, int]
    origin: str
    energies: str

    @property
    def n(self) -> int:
        """Spectra in the set."""
        return sum(len(table) for table in self.tables.values())


def write_card(account: Account, path: Path) -> None:
    """The data card: how it was made, ranges and class counts, failures, what it must not be used for."""
    lines = [
        f"# {account.name}",
        "",
        f"{account.n} simulated K-edge spectra of {account.title}; {account.energies}.",
        "",
        "## How it was made",
        "",
        HOW,
        "",
        f"Settings: {', '.join(f'{k} {v}' for k, v in account.settings.items())}; seed {account.seed}; program "
        f"{account.version}. Made again by `python -m engine.embedded build {account.name} --out data`.",
        "",
        "## What is in it",
        "",
        "| element | sites | materials | structures published / substituted / distorted |",
        "|---|---|---|---|",
    ]
    for element, table in account.tables.items():
        materials = account.materials[element]
        published = sum(m.published for m in materials)
        distorted = sum(m.copy > 0 for m in materials)
        counts = f"{published} / {len(materials) - published - distorted} / {distorted}"
        lines.append(f"| {element} | {len(table)} | {len({m.material_id for m in materials})} | {counts} |")
    lines += ["", "Descriptors, 5 %, median and 95 % over all sites where known:", ""]
    everything = pd.concat(list(account.tables.values()), ignore_index=True)
    for name in (n for n in RANGES if n in everything.columns):
        values = everything[name].to_numpy(dtype=np.float64)
        known = values[~np.isnan(values)]
        if known.size:
            low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
            lines.append(f"* {name}: {low:.3g}, {middle:.3g}, {high:.3g} ({known.size} known)")
    lines += ["", "## Class counts", ""]
    for element, table in account.tables.items():
        lines.append(f"* {element}: OS {_classes(table, 'OS')}; CN {_classes(table, 'CN')}")
    lines += ["", "## Notes of the simulation", ""]
    lines += [f"* {count} spectra: {note}" for note, count in account.notes.items()] or ["None."]
    lines += ["", f"## Failures: {len(account.failures)}", ""]
    lines += [f"* {site}: {reason}" for site, reason in account.failures] or ["None."]
    lines += ["", "## What it must not be used for", "", NOT_FOR, ""]
    with atomic_target(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _classes(table: pd.DataFrame, name: str) -> str:
    if name not in table.columns:
        return "–"
    counts = Counter(int(value) for value in table[name].dropna())
    return ", ".join(f"{value}: {count}" for value, count in sorted(counts.items())) or "–"


def write_entry(account: Account, folder: Path) -> None:
    """Puts the set's entry (files with hash, units, origin) into the manifest of ``folder``, beside the others."""
    entry = {
        "name": account.name, "title": account.title, "card": f"{account.name}.md", "spectra": account.n,
        "elements": list(account.tables), "units": UNITS, "origin": account.origin, "seed": account.seed,
        "program": account.version, "settings": dict(account.settings),
        "files": [file_entry(file, folder) for file in account.files],
    }  # fmt: skip
    put_entry(folder, "set", entry)

"""What the sites of a map can be coloured by, and the values for it: labels, density, what the model in view says."""

from __future__ import annotations

import numpy as np

from engine.analysis.scores import FloatArray
from engine.atlas.region import crowding
from engine.errors import DataError
from engine.model.config import TrainConfig
from engine.spectra import SpectraSet
from explorer.components.descriptor_table import words_of
from explorer.components.member import Member
from explorer.maps import OpenMap, latent_on, predicted
from explorer.plots import colouring as colours
from explorer.plots.colouring import Colouring

FAMILY, ELEMENT, DENSITY = "Chemical family", "Element", "Density of the map"
AXIS, PREDICTED = "Model axis: ", "Model predicts: "
SPECIAL = {"OS": "Oxidation state", "CN": "Coordination number"}


def offered(opened: OpenMap, model: TrainConfig | None) -> dict[str, str]:
    """What ``colour`` takes, by what the list calls it."""
    names = [str(name) for name in opened.atlas.table.descriptors]
    options = {title: title for title in (FAMILY, ELEMENT)}
    options |= {title: name for name, title in SPECIAL.items() if name in names}
    options[DENSITY] = DENSITY
    options |= {name: name for name in names if name not in SPECIAL}
    if model is not None:
        options |= {f"{AXIS}{name}": f"{AXIS}{name}" for name in model.axis_names}
        options |= {f"{PREDICTED}{name}": f"{PREDICTED}{name}" for name in model.descriptors}
    return options


def colour(opened: OpenMap, what: str, member: Member | None, spectra: SpectraSet | None) -> Colouring:
    """The colouring of a map that the list offers as ``what``; DataError where the model cannot say anything of it."""
    if what == FAMILY:
        return colours.by_family(opened.element, opened.symbols)
    if what == ELEMENT:
        return colours.by_element(opened.element, opened.symbols)
    if what == DENSITY:
        return colours.by_number("Sites around (log₁₀ of sites per cell)", crowding(opened.atlas.xy))
    if member is not None:
        return colours.by_number(*_of_model(opened, what, member, spectra))
    values = opened.atlas.table.descriptors[what].to_numpy(dtype=np.float64)
    if what == "OS":
        return colours.by_oxidation(values)
    symbol, unit = words_of(what)
    return colours.by_number(SPECIAL.get(what) or (f"{symbol} ({unit})" if unit else symbol), values)


def _of_model(opened: OpenMap, what: str, member: Member, spectra: SpectraSet | None) -> tuple[str, FloatArray]:
    """Title and values (n,) of a model's latent axis, or of what that says of its descriptor."""
    if member.sites is None:
        raise DataError("the set that this model was trained on is gone, so its absorber is not known")
    latent = latent_on(opened, member.model, str(member.sites.element[0]), spectra)
    name = what.partition(": ")[2]
    place = member.model.axis_names.index(name)
    if what.startswith(AXIS):
        return f"Latent axis {name} (no unit)", latent[:, place]
    unit = member.axes[place].unit
    return f"{name} as the model predicts it{f' ({unit})' if unit else ''}", predicted(member, place, latent[:, place])

"""The latent player as a part of the page: the browser decodes while somebody moves, the server has the last word."""

from __future__ import annotations

import base64
import functools
from typing import Any

import numpy as np
import param
from panel.custom import JSComponent
from scipy.spatial import cKDTree

from engine.analysis.scores import FloatArray
from engine.model.decoder_weights import DecoderWeights
from explorer.components.member import Member, Sites, axis_json
from explorer.components.scripts import bundle, stylesheet

DECODERS_KEPT = 32
NEAR_SITES = 600
NEAR_PERCENTILE = 95
SETTINGS = {"band": False, "nearest": False, "difference": ""}


class LatentPlayer(JSComponent):
    """Sliders, spectrum and difference. ``latent`` follows a slider when it is let go, never while it moves."""

    member = param.Dict(default={}, doc="What is explored; see member_json. Empty for nothing yet.")
    latent = param.List(default=[], doc="The latent point, one number per axis.")
    baseline = param.List(default=[], doc="The latent point to compare with; empty for all axes at 0.")
    others = param.List(default=[], doc="Weights of the run's other members, for the band; empty until asked for.")
    reference = param.Dict(default={}, doc="A spectrum of the set to compare with, {label, mu}, or empty.")
    overlays = param.Dict(
        default={},
        doc="model: False hides the decoded spectrum; a, b (means of selections), measured: spectra to lay over it.",
    )
    settings = param.Dict(default=SETTINGS, doc="band, nearest: overlays asked for; difference: '' or an axis' place.")
    check = param.Dict(default={}, doc="What the server decoded: {latent, mu}. The browser shows it where it differs.")
    disagreement = param.Number(default=0.0, doc="Largest difference of browser and server at the last check, in mu.")

    _esm = bundle("panel.js")
    _stylesheets = [stylesheet("player.css")]  # noqa: RUF012 (Panel reads it from the class)
    _debounce = 0  # Panel gathers changes for 50 ms; a release is one change, and waits for nothing
    _busy__ignore = ["latent"]  # noqa: RUF012 (Panel's; to note that the server is busy takes an eighth of a release)


@functools.lru_cache(DECODERS_KEPT)
def weights_json(weights: DecoderWeights) -> dict[str, Any]:
    """A decoder as decoder.js reads it, its weights as base64: a megabyte of text, which sessions share."""
    return {
        "sizes": list(weights.sizes),
        "activation": weights.activation,
        "normalisation": weights.normalisation,
        "softplusBeta": weights.softplus_beta,
        "values": floats_base64(weights.values),
    }


def member_json(member: Member) -> dict[str, Any]:
    """A member as player.js reads it."""
    return {
        "weights": weights_json(member.decoders[member.index]),
        "energies": member.model.energy_ev.tolist(),
        "members": len(member.decoders),
        "axes": [axis_json(axis) for axis in member.axes],
        "range": {"mu": list(member.mu_range), "difference": member.difference_range},
        "sites": sites_json(member.sites) if member.sites is not None else None,
    }


def sites_json(sites: Sites) -> dict[str, Any]:
    """What tells the browser whether a point is near training data; see ``landmarks``."""
    some, near = landmarks(sites)
    return {"latent": floats_base64(some), "near": near}


def landmarks(sites: Sites) -> tuple[FloatArray, float]:
    """Some latent points (a, k), and how far from all of them a point is not near training data any more.

    That is the distance to the next of them that 95 % of them do not exceed.
    """
    some = sites.latent[:: max(1, -(-len(sites.latent) // NEAR_SITES))]
    distance = cKDTree(some).query(some, 2)[0][:, 1] if len(some) > 1 else np.zeros(1)
    return some, float(np.percentile(distance, NEAR_PERCENTILE))


def floats_base64(values: FloatArray) -> str:
    """Little-endian float32 as base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")

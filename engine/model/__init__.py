"""RankAAE itself: settings, networks, losses, training of stacked seeds, the run folder and inference with torch.

Takes SpectraSets, gives run folders and latent models; draws nothing and reads no structures.
"""

from engine.model.config import PRESETS, TrainConfig, make_config
from engine.model.latent_model import LatentModel, load_member, load_members, traverse_axis
from engine.model.report import score_run
from engine.model.run import Run
from engine.model.training import train

__all__ = [
    "PRESETS",
    "LatentModel",
    "Run",
    "TrainConfig",
    "load_member",
    "load_members",
    "make_config",
    "score_run",
    "train",
    "traverse_axis",
]

"""RankAAE itself: settings, networks, losses, training of stacked seeds, the run folder and inference.

Takes SpectraSets, gives run folders and latent models; draws nothing and reads no structures. `config` and `run` work
without torch, so that a page can list runs and settings without it.
"""

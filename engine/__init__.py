"""RankAAE engine: spectra and structures in, trained and scored latent models out. Imports no user interface."""

__version__ = "0.1.0"

"""Measured spectra: reading and preparing them for a model.

Files from outside are parsed here as plain text, numbers and HDF5, never evaluated; xraylarch finds edges and
normalises. Every step is recorded with its numbers; what cannot be used is refused with the reason. Modules that need
no model import no torch.
"""

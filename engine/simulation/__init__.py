"""K-edge XANES of a site by full multiple scattering in muffin-tin potentials.

Promises a spectrum for any cluster of atoms, in minutes at most and with bounded memory, and says which parameters made
it. Hartree atomic units inside (energies in hartree, lengths in bohr), eV and angstrom at the surface. Must not import
panel, holoviews, bokeh or param.
"""

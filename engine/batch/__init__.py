"""Many sites at once: structures from wherever a user has them, their sites, spectra in processes, one set at the end.

Promises that work is resumable (a finished site is one file, written in one step), that every failure is listed with
its site and reason, and that a spectrum never loses the parameters it was made with. Must not import panel, holoviews,
bokeh or param.
"""

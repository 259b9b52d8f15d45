"""The sets that come with the program, and how they are made: ``python -m engine.embedded build oxides-3d --out data``.

Promises that one command makes a set again from nothing but the seed, going on where it stopped. Must not import panel,
holoviews, bokeh or param.
"""

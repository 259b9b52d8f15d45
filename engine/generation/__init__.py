"""Crystal structures for the embedded sets: published compounds, substituted prototypes, seeded distortions.

Promises structures that are charge-balanced, whose bond-valence sums fit the oxidation states and whose atoms keep
their distance, the same ones for the same seed. Never imports torch, nor anything of the engine but ``engine.errors``
and ``engine.structures``.
"""

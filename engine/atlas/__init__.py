"""Maps of large sets of spectra of many elements: read, clean, embed in two dimensions, score, store, place new ones.

Promises that every spectrum left out is counted with the rule that left it out, that a seeded map is the same again,
and that a stored one needs no fitting to be shown or to place a new spectrum. Never imports torch; never unpickles.
"""

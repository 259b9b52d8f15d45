"""Results in, Bokeh figures out: pure functions that read no state, no files and no widgets, and never import torch."""

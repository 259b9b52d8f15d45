"""One ``pn.viewable.Viewer`` per part of the page: wires widgets to the state and calls ``plots``. No torch here."""

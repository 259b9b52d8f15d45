"""The Panel app: from spectra to a trained model to an understood trend, in the browser.

Promises that every number shown comes from ``engine`` and that long work runs as its own process, found again from its
folder after a reload or a restart. Depends on ``engine``, never the other way round; imports torch only when a model is
opened, and then in ``app`` and ``examine`` alone.
"""

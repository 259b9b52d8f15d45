"""What is asked of finished runs: which descriptor to try next, sweeps, how sure trends are, and the report.

Works on run folders through ``engine.model``; numbers worth testing are made in ``engine.analysis``. Nothing here knows
of any user interface.
"""

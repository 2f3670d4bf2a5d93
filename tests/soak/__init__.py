"""Runs of minutes, on real processes: ``make soak``. Their modules are not found by ``make test``."""

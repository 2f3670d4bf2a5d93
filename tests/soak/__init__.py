"""Runs of minutes, on real processes: ``make soak``. ``make test`` does not find their modules."""

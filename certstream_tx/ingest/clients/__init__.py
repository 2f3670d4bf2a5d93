"""Asking a log: the two protocols behind one interface."""

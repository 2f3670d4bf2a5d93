"""Fetching from a log: one request, bounded in bytes and time."""

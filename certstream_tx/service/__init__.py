"""The process: how it starts, changes while it runs, and ends."""

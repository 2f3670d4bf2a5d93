"""Following one log: what is asked for next, and what becomes of it."""

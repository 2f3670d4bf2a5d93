"""Who may use the data surface, and how much of it."""

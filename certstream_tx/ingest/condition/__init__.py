"""How a log is: whether it can be read, and its newest head."""

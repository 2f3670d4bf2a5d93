"""Expected messages, derived by readers that share no code with the server (see README.md)."""

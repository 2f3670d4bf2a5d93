"""Built-in logs for demonstrations and tests: real protocols, made-up growth."""

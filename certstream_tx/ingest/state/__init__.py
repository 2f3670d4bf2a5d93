"""What is kept of each log between two runs, and who writes it."""

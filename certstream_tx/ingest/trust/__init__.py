"""What a log proves, what is doubted, and what it was caught at."""

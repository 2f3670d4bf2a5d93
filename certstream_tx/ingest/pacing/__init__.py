"""How much may be asked of logs and their operators, and how soon again."""

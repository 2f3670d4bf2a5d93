"""Which logs there are, and which of them are followed."""

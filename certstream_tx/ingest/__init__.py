"""Reading the logs: clients, pace, pollers, positions, log lists."""

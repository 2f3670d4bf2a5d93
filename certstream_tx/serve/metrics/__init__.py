"""The table of metrics: what each means and how it is read."""

"""Building blocks for programs of others; ``certstream_tx`` itself gives their names."""

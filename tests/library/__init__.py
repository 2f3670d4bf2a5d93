"""Tests of certstream_tx.library and of what the package itself gives."""

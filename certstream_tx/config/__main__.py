"""Prints the reference page: ``python -m certstream_tx.config > docs/configuration.md``."""

from certstream_tx.config.printing import reference_page

print(reference_page(), end="")

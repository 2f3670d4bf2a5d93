"""The protocols of Certificate Transparency, as pure functions on bytes."""

"""The parts of an X.509 certificate (RFC 5280) as the words of the wire format."""

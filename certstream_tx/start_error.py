"""What ends the start of the server."""


class StartError(Exception):
    """The server cannot start; the text is one line for the operator."""

"""What ends the start of the server."""


class StartError(Exception):
    """The server cannot start; the text says why to the operator, in a line for each problem."""

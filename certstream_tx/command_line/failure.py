"""What ends a command."""


class CommandError(Exception):
    """The command cannot do what was asked; the text is one line for the operator."""


def read_bounded(path: str, limit: int) -> bytes:
    """The content of a file. Raises CommandError when it is not there, or larger than ``limit``."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error
    if len(data) > limit:
        raise CommandError(f"{path}: larger than {limit} bytes")
    return data

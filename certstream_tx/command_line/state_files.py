"""The state file that a command is about."""

from certstream_tx.command_line.failure import CommandError, read_bounded
from certstream_tx.ingest.state.state_file import MAX_STATE_BYTES, State, StateError, read_state


def state_at(path: str) -> State:
    """What stands there, of whichever server it is. Raises CommandError."""
    try:
        return read_state(read_bounded(path, MAX_STATE_BYTES))
    except StateError as error:
        raise CommandError(f"{path}: {error}") from error

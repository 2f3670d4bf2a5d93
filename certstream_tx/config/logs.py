"""Keys of reading the logs: the logs that are named here, and how all of them are read."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from enum import Enum
from types import MappingProxyType

from certstream_tx.config.keys import MAX_MILLISECONDS, MAX_SECONDS, Support, setting
from certstream_tx.config.kinds import Choice, Integer, ListOf, MapOf, Nullable, Switch
from certstream_tx.config.texts import (
    Contact,
    LogId,
    LogUrl,
    Name,
    Origin,
    Path,
    PublicKey,
    UserAgent,
)

LIST_CACHE_FOLDER = "log_lists"


class Beside(Enum):
    """A path that follows from another key."""

    STATE_FILE = "beside the state file"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLog:
    """What is said of any log that is followed whatever the lists say."""

    name: str = setting(Name(), MISSING, "its name in messages, logs and metrics")
    url: str = setting(LogUrl(), MISSING, "where it is read")
    operator: str | None = setting(
        Nullable(Name()), None, "whose it is; all logs of an operator share one pace"
    )
    key: bytes | None = setting(
        Nullable(PublicKey()), None, "its public key; without one its heads cannot be verified"
    )
    expected_log_id: bytes | None = setting(
        Nullable(LogId()), None, "its id, where the key is not at hand or as a check of it"
    )
    poll_interval_ms: int | None = setting(
        Nullable(Integer(10, MAX_MILLISECONDS)), None, "instead of `ct_log.poll_interval_ms`"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLog(OwnLog):
    """An RFC 6962 log that is followed whatever the lists say."""

    url: str = setting(LogUrl(), MISSING, "what stands before `/ct/v1/`; `http://` is allowed")
    batch_size: int | None = setting(
        Nullable(Integer(1, 4096)), None, "instead of `ct_log.batch_size`"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticLog(OwnLog):
    """A static-ct-api (tiled) log that is followed whatever the lists say."""

    url: str = setting(LogUrl(), MISSING, "its monitoring prefix: what stands before `/checkpoint`")
    log_origin: str | None = setting(
        Nullable(Origin()), None, "the origin its checkpoints must carry; null: any"
    )
    batch_size: int | None = setting(
        Nullable(Integer(1, 4096)),
        None,
        "a tile holds 256 entries, whatever is said here",
        support=Support.IGNORED,
    )
    tree_size_source: str = setting(
        Choice("checkpoint", "get_sth"),
        "checkpoint",
        "where its head is read; `get_sth` for an RFC 6962 log that serves tiles too, "
        "but no checkpoint: `url` is then what stands before `/ct/v1/` and `/tile/` alike",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CtLog:
    """How the logs are read."""

    retry_max_attempts: int = setting(
        Integer(1, 100),
        3,
        "tries of one request that together make one failure",
        env=("RETRY_MAX_ATTEMPTS",),
    )
    retry_initial_delay_ms: int = setting(
        Integer(1, MAX_MILLISECONDS),
        100,
        "longest pause before the second try; it doubles with each further one",
        env=("RETRY_INITIAL_DELAY_MS",),
    )
    retry_max_delay_ms: int = setting(
        Integer(1, MAX_MILLISECONDS), 5000, "and ends here", env=("RETRY_MAX_DELAY_MS",)
    )
    request_timeout_secs: int = setting(
        Integer(1, 600),
        30,
        "within which a whole answer must have come",
        env=("REQUEST_TIMEOUT_SECS",),
    )
    healthy_threshold: int = setting(
        Integer(1, 1000),
        3,
        "answers in a row after which a log counts as healthy again",
        env=("HEALTHY_THRESHOLD",),
    )
    unhealthy_threshold: int = setting(
        Integer(1, 1000),
        5,
        "failures in a row after which a log counts as unhealthy; a wish for a slower pace is none",
        env=("UNHEALTHY_THRESHOLD",),
    )
    health_check_interval_secs: int = setting(
        Integer(1, MAX_SECONDS),
        60,
        "the longest time between two looks at the head of an unhealthy log, of which nothing else "
        "is asked",
        env=("HEALTH_CHECK_INTERVAL_SECS",),
    )
    state_file: str | None = setting(
        Nullable(Path()),
        "certstream_state.json",
        "where the position in every log is kept; null: nowhere, each start begins at the heads",
        env=("STATE_FILE",),
    )
    batch_size: int = setting(
        Integer(1, 4096),
        1024,
        "most entries asked for at once; logs give what they like",
        env=("BATCH_SIZE",),
    )
    poll_interval_ms: int = setting(
        Integer(10, MAX_MILLISECONDS),
        1000,
        "shortest time between two looks at a log's head; longer while it stands still",
        env=("POLL_INTERVAL_MS",),
    )
    fetch_concurrency: int = setting(
        Integer(1, 64),
        4,
        "requests in flight for one log that is behind, to begin with",
        env=("FETCH_CONCURRENCY",),
    )
    start_overlap_leaves: int = setting(
        Integer(0, 1_000_000),
        256,
        "how far before its head a log is begun that has no position yet",
    )
    rfc6962_enabled: bool = setting(
        Switch(), True, "follow the lists' RFC 6962 logs", env=("RFC6962_ENABLED",)
    )
    static_ct_enabled: bool = setting(
        Switch(), True, "follow the lists' static-ct-api logs", env=("STATIC_CT_ENABLED",)
    )
    log_refresh_interval_secs: int = setting(
        Integer(10, MAX_SECONDS, or_zero=True),
        3600,
        "between two looks for a newer list; 0: only at the start",
        env=("CT_LOG_REFRESH_INTERVAL_SECS",),
    )
    default_operator_rate_limit_ms: int = setting(
        Integer(0, MAX_MILLISECONDS),
        25,
        "shortest time between two requests to one operator, over all its logs; operators known "
        "to want a gentler pace get it; 0: no limit",
    )
    operator_rate_limits: Mapping[str, int] = setting(
        MapOf(Integer(0, MAX_MILLISECONDS), "operators"),
        MappingProxyType({}),
        "the same for single operators; their names are compared without case and spaces",
    )
    excluded_operators: tuple[str, ...] = setting(
        ListOf(Name(), "operators"), (), "whose logs are not followed"
    )
    excluded_logs: tuple[str, ...] = setting(
        ListOf(Name(), "logs, each by name, URL or log id"), (), "not followed"
    )
    included_operators: tuple[str, ...] = setting(
        ListOf(Name(), "operators"), (), "when not empty, only their logs are followed"
    )
    included_logs: tuple[str, ...] = setting(
        ListOf(Name(), "logs, each by name, URL or log id"),
        (),
        "when not empty, only these are followed",
    )
    include_pending: bool = setting(
        Switch(), False, "follow logs that a list calls pending as well"
    )
    on_inconsistency: str = setting(
        Choice("continue", "stop"),
        "continue",
        "what becomes of a log that contradicts itself, or gives other entries than it signed:"
        " read on, marked as inconsistent, or read no more until the evidence, which is kept in"
        " the folder `evidence` beside the state file, was moved away",
    )
    max_catchup_lag_entries: int = setting(
        Integer(10_000, 2**53, or_zero=True),
        0,
        "entries behind its head from which a log is skipped ahead to it; what is left out becomes"
        " a gap, and is read late when there is time; 0: never",
    )
    max_catchup_lag_secs: int = setting(
        Integer(300, 366 * 86_400, or_zero=True),
        0,
        "the same in seconds between its newest head and the entry read last",
    )
    list_cache: str | Beside | None = setting(  # noqa: RUF009 (returns a field)
        Nullable(Path()),
        Beside.STATE_FILE,
        "folder in which the newest good list is kept; null: nowhere",
        default_text=f"`{LIST_CACHE_FOLDER}` beside the state file",
    )
    list_key: str | None = setting(
        Nullable(Path()),
        None,
        "RSA public key (PEM file) of a list of your own at `ct_logs_url`, which `openssl dgst "
        "-sha256 -sign` has signed; null: Chrome's",
    )
    contact: str | None = setting(
        Nullable(Contact()),
        None,
        "e-mail address or URL for the User-Agent: some operators serve those they can reach "
        "faster",
    )
    partial_tile_wait_secs: int = setting(
        Integer(0, 86_400),
        15,
        "how long a static log's newest tile is given to fill before it is read as it is",
    )
    user_agent: str | None = setting(
        Nullable(UserAgent()),
        None,
        "the whole of it, to identify yourself in your own way",
        env=("USER_AGENT",),
        default_text="`certstream-tx/<version> (<contact>)`",
    )

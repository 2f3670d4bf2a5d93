"""How a log is polled: the part of the configuration that pollers need, in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollSettings:
    """Times are seconds. The defaults are those of the configuration."""

    poll_interval: float = 1.0
    """between two looks at a head that moves"""
    retry_initial_delay: float = 0.1
    retry_max_delay: float = 5.0
    retry_max_attempts: int = 3
    """attempts in a row that make one failure"""
    unhealthy_threshold: int = 5
    """failures in a row after which a log counts as unhealthy"""
    healthy_threshold: int = 3
    """answers in a row after which it counts as healthy again"""
    health_check_interval: float = 60.0
    """the longest time between two looks at the head of a log that is unhealthy"""
    on_inconsistency: str = "continue"
    """whether a log that contradicts itself is read on: ``continue`` or ``stop``"""
    max_catchup_lag_entries: int = 0
    max_catchup_lag_secs: int = 0
    """how far behind its head a log may be before it is skipped ahead; 0: as far as it gets"""
    asked_for_by_name: bool = False
    """whether it is told at once when such a log does not answer: its address may be wrong. Of the
    many of a list it is told when they are unhealthy"""
    start_overlap_leaves: int = 256
    """how far before the head a log begins that was never read before"""

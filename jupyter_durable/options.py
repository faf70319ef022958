"""What decorators are given: options, their bounds, and what is said when they are wrong.

Rules of this file
- Options are checked at the decorator; what they mean for a run is the runner's business.
- A message names the function, the option, what it takes and what it was given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from jupyter_durable.core.retry import RetryPolicy
from jupyter_durable.errors import SDKUsageError

if TYPE_CHECKING:
    from jupyter_durable.values import Image

MAX_TIMEOUT: Final = 172_800
MAX_RETRIES: Final = 10
EXECUTORS: Final = ("inline", "thread")
LATER_EXECUTORS: Final = ("process", "ray")
REGIONS: Final = ("us-east-1", "eu-west-1")
ApplicationCapability = Literal["unauthenticated_requests"]
CAPABILITIES: Final = get_args(ApplicationCapability)


class Unwritten:
    """Type of `UNWRITTEN`: an option the user did not give, which is not the same as None."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<unwritten>"


UNWRITTEN: Final = Unwritten()


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and when, a failed call runs again.

    Delays are seconds: `initial_delay * delay_multiplier ** n`, at most `max_delay`, with `jitter` a random part of it.
    Only exceptions in `retry_on` are retried; `RequestError` never is.
    """

    max_retries: int = 0
    initial_delay: float = 1.0
    max_delay: float = 60.0
    delay_multiplier: float = 2.0
    jitter: bool = True
    retry_on: tuple[type[BaseException], ...] = (Exception,)

    def __post_init__(self) -> None:
        number = self.max_retries
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_RETRIES:
            raise SDKUsageError(f"Retries: max_retries must be a whole number from 0 to {MAX_RETRIES}, not {number!r}")
        for name in ("initial_delay", "max_delay"):
            refuse_unless_seconds(f"Retries: {name}", getattr(self, name))
        if not (_at_least(1, self.delay_multiplier) and self.delay_multiplier != math.inf):
            raise SDKUsageError(
                f"Retries: delay_multiplier must be a finite number >= 1, not {self.delay_multiplier!r}"
            )
        if not isinstance(self.jitter, bool):
            raise SDKUsageError(f"Retries: jitter must be True or False, not {self.jitter!r}")
        given: object = self.retry_on
        kinds = given if isinstance(given, tuple) else (given,)  # users write one type without a tuple
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise SDKUsageError(f"Retries: retry_on takes exception types, not {kind!r}")
        object.__setattr__(self, "retry_on", kinds)

    def policy(self) -> RetryPolicy:
        """The same for the core."""
        return RetryPolicy(
            self.max_retries, self.initial_delay, self.max_delay, self.delay_multiplier, self.jitter, self.retry_on
        )


@dataclass(frozen=True, slots=True)
class FunctionOptions:
    """What `@function(...)` was given. Units: cpu cores, memory and disk GB, timeout seconds."""

    description: str = ""
    cpu: float = 1.0
    memory: float = 1.0
    ephemeral_disk: float = 2.0
    gpu: str | list[str] | None = None
    timeout: float | Unwritten | None = UNWRITTEN
    image: Image | None = None
    secrets: tuple[str, ...] = ()
    retries: Retries | None = None
    region: str | None = None
    durable: bool = True
    max_concurrency: int | None = None
    warm_containers: int | None = None
    min_containers: int | None = None
    max_containers: int | None = None
    executor: str | None = None

    def check(self, name: str) -> None:
        """Raises `SDKUsageError` that names the function, the option, its value and its bounds."""
        for option in ("cpu", "memory", "ephemeral_disk"):  # what a platform has at most is for the platform to say
            size = getattr(self, option)
            if not (_at_least(0, size) and 0 < size < math.inf):
                raise SDKUsageError(f"@function on {name}: {option} must be a finite number above 0, not {size!r}")
        if not isinstance(self.timeout, Unwritten) and self.timeout is not None:
            bounded(f"@function on {name}", "timeout", self.timeout, 1, MAX_TIMEOUT)
        for option in ("max_concurrency", "warm_containers", "min_containers", "max_containers"):
            value = getattr(self, option)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise SDKUsageError(f"@function on {name}: {option} must be a whole number >= 1, not {value!r}")
        low_count, high_count = self.min_containers, self.max_containers
        if low_count is not None and high_count is not None and low_count > high_count:
            raise SDKUsageError(
                f"@function on {name}: min_containers {low_count} is more than max_containers {high_count}"
            )
        if self.executor in LATER_EXECUTORS:
            raise SDKUsageError(
                f"@function on {name}: executor={self.executor!r} is not built yet; use one of {', '.join(EXECUTORS)}"
            )
        if self.executor is not None and self.executor not in EXECUTORS:
            raise SDKUsageError(
                f"@function on {name}: executor must be one of {', '.join(EXECUTORS)}, not {self.executor!r}"
            )
        _known_region(name, self.region)
        if self.image is not None:
            _check_image(name, self.image)
        if not isinstance(self.description, str):
            raise SDKUsageError(f"@function on {name}: description must be a text, not {self.description!r}")
        if not isinstance(self.durable, bool):
            raise SDKUsageError(f"@function on {name}: durable must be True or False, not {self.durable!r}")
        gpu: object = [] if self.gpu is None else [self.gpu] if isinstance(self.gpu, str) else self.gpu
        if not _is_texts(gpu):
            raise SDKUsageError(f"@function on {name}: gpu must be a text or a list of texts, not {self.gpu!r}")
        if not _is_texts(self.secrets):
            raise SDKUsageError(f"@function on {name}: secrets must be a list of names, not {self.secrets!r}")


@dataclass(frozen=True, slots=True)
class ApplicationOptions:
    """What `@application(...)` was given."""

    tags: Mapping[str, str] = field(default_factory=dict)
    retries: Retries | None = None
    region: str | None = None
    input_deserializer: str = "json"
    output_serializer: str = "json"
    allow: tuple[str, ...] = ()

    def check(self, name: str) -> None:
        """Raises `SDKUsageError` that names the application and the option."""
        for option in ("input_deserializer", "output_serializer"):
            if getattr(self, option) not in ("json", "pickle"):
                raise SDKUsageError(f'@application on {name}: {option} must be "json" or "pickle"')
        tags: object = self.tags
        if not isinstance(tags, Mapping) or not _is_texts([*tags, *tags.values()]):
            raise SDKUsageError(f"@application on {name}: tags must map texts to texts, not {tags!r}")
        _known_region(name, self.region)
        for each in self.allow:
            if each not in CAPABILITIES:
                raise SDKUsageError(
                    f"@application on {name}: allow takes a list of {', '.join(CAPABILITIES)}, not {each!r}"
                )


def bounded(name: str, option: str, value: object, low: float, high: float) -> None:
    """Raises `SDKUsageError` for a value that is no number or out of its bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SDKUsageError(f"{name}: {option} must be a number from {low} to {high}, not {value!r}")


def _check_image(name: str, image: object) -> None:
    from jupyter_durable.values import Image

    if not isinstance(image, Image):
        raise SDKUsageError(f"@function on {name}: image must be an Image, not {type(image).__name__}")


def refuse_unless_seconds(what: str, value: object) -> None:
    """Raises `SDKUsageError`, about `what` ("run_later: the delay"), for text, a bool, inf, NaN and what is below 0."""
    if not isinstance(value, int | float):
        from numbers import Real  # numpy's: only then

        value = float(value) if isinstance(value, Real) else value
    if not (_at_least(0, value) and value != math.inf):
        raise SDKUsageError(f"{what} must be a finite number of seconds >= 0, not {value!r}")


def refuse_unless_limit(what: str, value: object) -> None:
    """As `refuse_unless_seconds`, where None means no limit."""
    if value is not None:
        refuse_unless_seconds(what, value)


def _at_least(least: float, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _known_region(name: str, region: str | None) -> None:
    if region is not None and region not in REGIONS:
        raise SDKUsageError(f"{name}: region must be one of {', '.join(REGIONS)}, not {region!r}")


def as_retries(name: str, value: Retries | int | None) -> Retries | None:
    """`retries=3` is `retries=Retries(max_retries=3)`."""
    if value is None or isinstance(value, Retries):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise SDKUsageError(f"{name}: retries takes Retries(...) or a whole number, not {value!r}")
    return Retries(max_retries=value)

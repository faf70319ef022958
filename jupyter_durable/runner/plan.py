"""What a run knows of a function before it is called; made once for each function of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jupyter_durable.core.model import Flag, unpack_codes
from jupyter_durable.core.retry import RetryPolicy
from jupyter_durable.errors import InternalError
from jupyter_durable.options import Unwritten
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.settings import Code, RunSettings
from jupyter_durable.spec import Spec


class Plan(NamedTuple):
    """What a run knows of a function before it is called."""

    name: str
    fn: Callable[..., Any]
    code: bytes
    policy: RetryPolicy
    retries: bool
    timeout: float | None
    threaded: bool
    """The function does not simply run in the calling thread."""
    inline: bool
    """It runs in the calling thread even where a worker thread would be used."""
    is_async: bool
    durable: bool
    flags: int
    max_concurrency: int | None
    holds: Callable[[], bool] | None = None
    """Tells whether `code` is still that of the function; None where nothing that it reads can change."""


ONCE: Final = RetryPolicy(0, 0.0, 0.0, 1.0, False, ())


class Planner:
    """Makes plans, each once, and again when data that the code of a function reads has changed."""

    def __init__(self, settings: RunSettings, retries: RetryPolicy | None, code: Code) -> None:
        self.plans: dict[Any, Plan] = {}
        self._settings = settings
        self._retries = retries
        self._code = code
        self._drifted: dict[bytes, bool] = {}
        """Answers of `drifted_below`."""

    def plan(self, spec: Spec) -> Plan:
        """What a run does with a function; an application's retries hold where the function has none."""
        known = self.plans.get(spec)
        if known is not None and (known.holds is None or known.holds()):
            return known
        options = spec.options
        timeout = self._settings.default_timeout if isinstance(options.timeout, Unwritten) else options.timeout
        executor = options.executor or self._settings.executor
        fn, around = spec.call if spec.owner is not None else spec.fn, self._settings.around
        policy = options.retries.policy() if options.retries is not None else self._retries or ONCE
        made = self.plans[spec] = Plan(
            name=spec.name,
            fn=fn if around is None else around(fn, spec.is_async),
            code=self._code.code_of(spec),
            policy=policy,
            retries=policy.max_retries > 0,
            timeout=timeout,
            threaded=timeout is not None or executor == "thread" or options.max_concurrency is not None,
            inline=executor == "inline" and options.max_concurrency is None,
            is_async=spec.is_async,
            durable=options.durable,
            flags=0 if options.durable else Flag.VOLATILE,
            max_concurrency=options.max_concurrency,
            holds=self._code.holds(spec),
        )
        return made

    def drifted_below(self, below: bytes) -> bool:
        """Whether code that ran below a recorded call (`CallRow.below`) is another one by now."""
        known = self._drifted.get(below)
        if known is None:
            now = ((code, self._code.code_named(name)) for name, code in unpack_codes(below))
            known = self._drifted[below] = any(current is not None and code != current for code, current in now)
        return known

    def bare(self, key: tuple[str, Any], name: str, is_async: bool) -> Plan:
        """The plan of what has no function of its own: a map, a reduce, a recorded value, a cell."""
        known = self.plans.get(key)
        if known is None:
            known = Plan(name, _no_function, b"", ONCE, False, None, False, True, is_async, True, 0, None)
            self.plans[key] = known
        return known


def _no_function(*_: Any, **__: Any) -> Any:
    raise InternalError("a map, a reduce or a cell has no function of its own; please report this")

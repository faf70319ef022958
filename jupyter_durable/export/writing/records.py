"""What a target is given, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jupyter_durable.export.selection import Selection


@dataclass(frozen=True, slots=True)
class Recording:
    """A request that goes along as a test."""

    id: str
    application: str
    data: bytes
    """As `jupyter_durable.testing.recorded` reads it."""
    slow: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each function that took longer than the default timeout of what is deployed."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution that the application needs."""

    name: str
    version: str | None
    """The one that is installed here; None: none is."""
    requirement: str
    """As `pyproject.toml` says it."""
    imports: tuple[str, ...] = ()
    """Modules that are imported from it; none where only the notebook asked for it."""


@dataclass(frozen=True, slots=True)
class Project:
    """What is to be written, before any target has said how."""

    package: str
    """A Python name."""
    main: str
    """The module of the package that holds what the notebook had: `application`."""
    selection: Selection
    modules: Mapping[str, str]
    """Text of the Python files by their path in the package: `application.py`, `helpers.py`."""
    data: Mapping[str, bytes]
    """Other files of the package by their path in it."""
    distributions: Sequence[Distribution]
    """Without our own."""
    lock: Sequence[str]
    """Exact versions of all that is installed with it, ours included: a requirement each."""
    python: str
    """The version of Python that made it: 3.11."""
    recorded: Sequence[Recording] = ()

    @property
    def distribution(self) -> str:
        """The name under which it is installed."""
        return self.package.replace("_", "-")

    @property
    def applications(self) -> list[str]:
        """Names of the roots that are applications."""
        return [root.function for root in self.selection.roots if root.is_application]


class Target(Protocol):
    """Writes a project for one place where it is to run."""

    def __call__(self, project: Project) -> Mapping[str, bytes]:
        """Files by their relative path; Python is formatted after it. Raises `ExportError` for what cannot run."""

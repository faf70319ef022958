"""`request.widget()`: found by name, so that the library runs without Jupyter.

Rules of this file
- The widget lives in the kernel package; what it needs is said when it is not there.
"""

from __future__ import annotations

from typing import Any, Final

from jupyter_durable.errors import SDKUsageError

GROUP: Final = "jupyter_durable.widget"
"""Entry point group; its `request` is called with a `Request` and gives its widget."""
REMEDY: Final = "pip install 'jupyter-durable[notebook]'"


def widget_of(request: object) -> Any:
    """A new widget of a request. Raises `SDKUsageError` that says what to install."""
    from importlib.metadata import entry_points  # 10 ms, and few ask for a widget

    found = next(iter(entry_points(group=GROUP, name="request")), None)
    if found is None:
        raise SDKUsageError(f"request.widget() needs Jupyter: {REMEDY}")
    try:
        make = found.load()
    except ImportError as error:
        raise SDKUsageError(f"request.widget() needs ipywidgets and anywidget ({error}): {REMEDY}") from error
    return make(request)

"""What a notebook sees of jupyter_durable: the magics, the views and the kernel "Python 3 (Durable)".

Rules of this package
- All that imports IPython or ipykernel lives here; `jupyter_durable` never imports it, and finds it by name.
- Importing this package imports neither of them.
- Doors stand in this folder, what they lead to in rooms; `docs/design.md` draws which room may see which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(ip: InteractiveShell) -> None:
    """`%load_ext jupyter_durable`: adds the magics, the views and the hooks round the execution of a cell."""
    from jupyter_durable_kernel.extension import load_ipython_extension as load

    load(ip)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """`%unload_ext jupyter_durable`: takes away what `load_ipython_extension` added."""
    from jupyter_durable_kernel.extension import unload_ipython_extension as unload

    unload(ip)

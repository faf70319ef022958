"""The kernel "Python 3 (Durable)": ipykernel, with the extension loaded before the first cell.

Rules of this file
- It adds nothing that `%load_ext jupyter_durable` in an ordinary kernel would not give.
- The extension is a default one: neither the user's own `extensions` nor `--ext` replaces it.
- ipykernel's own default extension (`%store`) is kept.
- The name of the application stays ipykernel's, so that the user's IPython configuration holds here too.
"""

from __future__ import annotations

from typing import Final

from ipykernel.kernelapp import IPKernelApp
from traitlets import List, Unicode

EXTENSION: Final = "jupyter_durable"


class DurableKernelApp(IPKernelApp):
    """ipykernel's application, which loads `jupyter_durable` by itself."""

    default_extensions = List(Unicode(), ["storemagic", EXTENSION]).tag(config=False)

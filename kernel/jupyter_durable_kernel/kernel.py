"""The kernel "Python 3 (Durable)": ipykernel, with the extension loaded before the first cell.

Rules of this file
- It adds nothing that `%load_ext jupyter_durable` in an ordinary kernel would not give, but one thing: on an orderly
  shutdown the requests that run are recorded as interrupted at once.
- The extension is a default one: neither the user's own `extensions` nor `--ext` replaces it.
- ipykernel's own default extension (`%store`) is kept.
- The name of the application stays ipykernel's, so that the user's IPython configuration holds here too.
"""

from __future__ import annotations

from typing import Any, Final

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
from traitlets import List, Type, Unicode

EXTENSION: Final = "jupyter_durable"


class DurableKernel(IPythonKernel):
    """ipykernel's kernel."""

    def do_shutdown(self, restart: bool) -> Any:
        """Let go of the requests that run: others see at once that they can be resumed."""
        from jupyter_durable.client import this_engine

        this_engine().let_go()
        return super().do_shutdown(restart)  # type: ignore[no-untyped-call]


class DurableKernelApp(IPKernelApp):
    """ipykernel's application, which loads `jupyter_durable` by itself."""

    kernel_class = Type(DurableKernel, klass=Kernel).tag(config=True)
    default_extensions = List(Unicode(), ["storemagic", EXTENSION]).tag(config=False)

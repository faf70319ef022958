"""One execution of a notebook in a kernel of its own, from its first cell on.

Rules of this file
- The executed notebook is written after every cell.
- An interrupt (Ctrl-C, SIGTERM, a timeout) is passed to the kernel, so that the request of the cell is settled; a
  kernel that does not heed it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from jupyter_durable.cli.running import NotebookRun
from jupyter_durable.code.credentials import masked
from jupyter_durable.errors import Cancelled, SDKUsageError
from jupyter_durable_kernel.run import notebook_file
from jupyter_durable_kernel.run.in_kernel import Execution
from jupyter_durable_kernel.run.progress import RunView

LISTEN_SECONDS: Final = 10.0
"""How long a kernel may take to heed an interrupt."""
INTERRUPTED: Final = 128
"""Exit code less the number of the signal."""


class Ended(NamedTuple):
    """How the execution ended before the last cell."""

    code: int
    cell: int
    """Number of the cell, from 1; 0: before the first."""
    what: str


def _unseen(message: Any) -> None:
    """Nobody is to see what the preparing prints."""


class Running:
    """One execution of a notebook in a kernel of its own."""

    def __init__(self, notebook: Any, wanted: NotebookRun, execution: Execution, view: RunView) -> None:
        self._notebook = notebook
        self._wanted = wanted
        self._execution = execution
        self._view = view
        self._signal: int | None = None
        self._started = self._late = False
        self._pending: set[asyncio.Task[None]] = set()
        own: dict[str, Any] = {} if wanted.kernel is None else {"kernel_name": wanted.kernel}
        # ipykernel's own warnings would stand between the lines of the terminal; errors stay.
        own["extra_arguments"] = ["--log-level=ERROR"]
        self._client: Any = NotebookClient(notebook, timeout=None, on_cell_execute=self._name_cell, **own)

    async def execute(self, environment: dict[str, str]) -> Ended | None:
        """All cells in their order; None when all succeeded. Raises `SDKUsageError` when no kernel can be had."""
        manager = self._client.create_kernel_manager()
        with self._signals():
            try:
                ended = await self._start(environment) or await self._followed()
            finally:
                await self._end_kernel(manager)
        self._view.done(ended is None)
        return ended

    async def _start(self, environment: dict[str, str]) -> Ended | None:
        """A kernel with the extension, told how cells begin."""
        client = self._client
        try:
            await client.async_start_new_kernel(env=environment, cwd=str(self._wanted.notebook.parent))
            await client.async_start_new_kernel_client()
        except NoSuchKernel as error:
            known = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
            raise SDKUsageError(f"there is no kernel {error.name!r}; --kernel takes one of {known}") from error
        except RuntimeError as error:
            if self._signal is not None:
                return self._interrupted()
            raise SDKUsageError(f"the kernel {client.kernel_name!r} does not start: {error}") from error
        reply = await client.kc.execute_interactive(
            self._execution.setup, store_history=False, allow_stdin=False, output_hook=_unseen
        )
        self._started = True
        content = reply["content"]
        if content["status"] != "ok":
            raise SDKUsageError(
                f"the kernel {client.km.kernel_name!r} cannot load jupyter_durable ({content.get('ename')}: "
                f"{content.get('evalue')}); install jupyter-durable[notebook] in its environment"
            )
        return self._interrupted() if self._signal is not None else None

    async def _followed(self) -> Ended | None:
        following = asyncio.ensure_future(self._view.follow())
        try:
            return await self._cells()
        finally:
            following.cancel()

    async def _cells(self) -> Ended | None:
        for at, cell in enumerate(self._notebook.cells):
            self._view.cell(at + 1)
            failed = await self._cell(at, cell)
            notebook_file.write(self._notebook, self._wanted.out)
            if failed is None and self._signal is not None:
                failed = self._interrupted()
            if failed is not None:
                return failed._replace(cell=at + 1)
        return None

    async def _cell(self, at: int, cell: Any) -> Ended | None:
        loop = asyncio.get_running_loop()
        limit = self._wanted.timeout
        timer = loop.call_later(limit, self._too_late) if limit is not None else None
        try:
            await self._client.async_execute_cell(cell, at)
        except CellExecutionError as error:
            if self._signal is not None:
                return self._interrupted()
            if self._late:
                return Ended(1, 0, f"it took longer than {limit:g} s (--timeout)")
            cancelled = error.ename == Cancelled.__name__
            return Ended(1, 0, error.evalue if cancelled else masked(f"{error.ename}: {error.evalue}"))
        except DeadKernelError:
            if self._signal is not None:
                return self._interrupted()
            late = f"it took longer than {limit:g} s (--timeout) and did not heed an interrupt" if self._late else ""
            return Ended(1, 0, late or "the kernel died, perhaps for want of memory")
        finally:
            if timer is not None:
                timer.cancel()
        return None

    def _interrupted(self) -> Ended:
        assert self._signal is not None
        return Ended(INTERRUPTED + self._signal, 0, f"interrupted ({signal.Signals(self._signal).name})")

    def _name_cell(self, cell: Any, **_: Any) -> None:
        """Tell the kernel the id of the cell, as a notebook page does."""
        self._client.kc.session.metadata = {"cellId": cell["id"]} if "id" in cell else {}

    # interrupts

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        watched = (signal.SIGINT, signal.SIGTERM)
        for number in watched:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in watched:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: int) -> None:
        """Interrupt the cell; whoever asks twice does not wait."""
        at_once, self._signal = self._signal is not None or not self._started, number
        self._begin(self._kill() if at_once else self._interrupt())

    def _too_late(self) -> None:
        self._late = True
        self._begin(self._interrupt())

    def _begin(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _interrupt(self) -> None:
        manager = self._client.km
        if manager is None or not manager.has_kernel:
            return
        await manager.interrupt_kernel()
        await asyncio.sleep(LISTEN_SECONDS)
        await self._kill()

    async def _kill(self) -> None:
        manager = self._client.km
        if manager is not None and manager.has_kernel:
            await manager.signal_kernel(signal.SIGKILL)

    async def _end_kernel(self, manager: Any) -> None:
        for task in list(self._pending):
            task.cancel()
        client = self._client.kc
        if manager.has_kernel:
            await manager.shutdown_kernel(now=not await manager.is_alive())
        if client is not None:
            client.stop_channels()
        await manager.cleanup_resources()

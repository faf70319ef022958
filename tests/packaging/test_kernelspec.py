"""The kernel "Python 3 (Durable)" runs in the environment it was installed in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager


@contextmanager
def running(manager: KernelManager, *arguments: str) -> Iterator[BlockingKernelClient]:
    """A client of the kernel while it runs; the kernel is ended at the end."""
    manager.start_kernel(extra_arguments=list(arguments))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=100)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def answer(client: BlockingKernelClient, expression: str) -> str:
    """The text form of `expression`, evaluated in the kernel."""
    reply = client.execute_interactive("", user_expressions={"it": expression}, timeout=60, output_hook=lambda _: None)
    told = reply["content"]["user_expressions"]["it"]
    assert told["status"] == "ok", told
    return str(told["data"]["text/plain"])


def test_the_kernelspec_is_found_in_this_environment() -> None:
    spec = KernelSpecManager().get_kernel_spec("durable")
    assert Path(spec.resource_dir).is_relative_to(sys.prefix)
    assert KernelManager(kernel_name="durable").format_kernel_cmd()[0] == sys.executable


def test_another_environment_finds_and_starts_its_own(ipykernel6_python: Path) -> None:
    program = (
        "from jupyter_client.manager import KernelManager as M; m = M(kernel_name='durable');"
        "print(m.kernel_spec.resource_dir); print(m.format_kernel_cmd()[0])"
    )
    done = subprocess.run([ipykernel6_python, "-c", program], check=True, capture_output=True, text=True)
    resource_dir, executable = done.stdout.splitlines()
    assert Path(resource_dir).is_relative_to(ipykernel6_python.parent.parent)
    assert executable == str(ipykernel6_python)


def test_the_kernel_runs_here_and_has_loaded_the_extension() -> None:
    with running(KernelManager(kernel_name="durable")) as client:
        assert answer(client, "__import__('sys').executable") == repr(sys.executable)
        assert answer(client, "'jupyter_durable' in get_ipython().extension_manager.loaded") == "True"


def test_the_kernel_loads_the_extension_on_ipykernel_6(ipykernel6_python: Path) -> None:
    manager = KernelManager()
    argv = [str(ipykernel6_python), "-m", "jupyter_durable_kernel", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv)
    with running(manager) as client:
        assert answer(client, "__import__('ipykernel').__version__").startswith("'6.31.")
        assert answer(client, "'jupyter_durable' in get_ipython().extension_manager.loaded") == "True"


@pytest.mark.parametrize("option", ["--InteractiveShellApp.extensions=autoreload", "--ext=autoreload"])
def test_an_extension_of_the_user_does_not_replace_ours(option: str) -> None:
    with running(KernelManager(kernel_name="durable"), option) as client:
        both = "{'IPython.extensions.autoreload', 'jupyter_durable'}"
        assert answer(client, f"{both} <= get_ipython().extension_manager.loaded") == "True"

"""Requests end with whatever leaves their application."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_durable import application, function, get_request, run_local_application
from jupyter_durable.testing import memory_store


def test_a_cancelled_error_that_leaves_a_synchronous_application_ends_its_request() -> None:
    """So does one that comes up where it waits for an async Future, when the request is cancelled."""

    @application()
    @function()
    def leaves() -> None:
        raise asyncio.CancelledError

    with memory_store():
        with pytest.raises(asyncio.CancelledError):
            run_local_application(leaves)
        assert get_request("last").status == "cancelled"

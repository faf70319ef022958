"""The public names of the package: adding one is a decision, losing one breaks somebody."""

import jupyter_durable

NAMES = """
RETURN_WHEN Call Cancelled CheckpointError DeserializationError DurableError DurableFunction ExportError File
FunctionError Future Headers HttpBody Image InternalError LeaseLost RemoteAPIError ReplayError ReplayMode Request
RequestContext RequestError RequestFailed RequestNotFinished Retries SDKUsageError SerializationError StoreError
StoreVersionError TimeoutError WorkerLost application cls configure function get_request list_requests now random
run_local_application uuid4
"""


def test_public_names() -> None:
    """`__all__` is this list, and every name of it is there."""
    assert sorted(NAMES.split()) == sorted(jupyter_durable.__all__)
    assert [name for name in jupyter_durable.__all__ if not hasattr(jupyter_durable, name)] == []

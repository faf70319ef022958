"""The public names of the package: adding one is a decision, losing one breaks somebody."""

import jupyter_durable

NAMES = """
RETURN_WHEN Call CallFilter Cancelled CheckpointError DeserializationError DurableError DurableFunction ExportError File
FunctionError Future Headers HttpBody Image InternalError LeaseLost RemoteAPIError ReplayError ReplayMode Request
RequestContext RequestError RequestFailed RequestNotFinished Retries SDKUsageError SerializationError StoreError
StoreGone StoreVersionError TimeoutError WorkerLost application cls configure copy_store deploy function get_request
list_requests now random run_local_application run_remote_application
uuid4
ApplicationCapability Function FunctionProgress Logger RequestState TensorlakeError TensorlakeException
"""


def test_public_names() -> None:
    """`__all__` is this list, and every name of it is there."""
    assert sorted(NAMES.split()) == sorted(jupyter_durable.__all__)
    assert [name for name in jupyter_durable.__all__ if not hasattr(jupyter_durable, name)] == []


TENSORLAKE = """
application ApplicationCapability cls function run_local_application run_remote_application File Function Future Headers
HttpBody FunctionError
TimeoutError FunctionProgress Image InternalError RemoteAPIError Request RequestContext RequestFailed RequestState
RequestError RequestNotFinished Retries RETURN_WHEN SDKUsageError SerializationError DeserializationError Logger
TensorlakeException TensorlakeError
"""
"""`tensorlake.applications.__all__`."""


def test_code_written_for_tensorlake_finds_its_names_here() -> None:
    """Only the import changes."""
    assert set(TENSORLAKE.split()) <= set(jupyter_durable.__all__)
    assert issubclass(jupyter_durable.SDKUsageError, jupyter_durable.TensorlakeError)

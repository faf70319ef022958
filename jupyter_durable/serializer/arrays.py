"""What arrays are made of: numpy, Arrow, torch.

Rules of this file
- Nothing is imported that the process has not loaded: a value of a library's type proves that it is there.
- Buffers count by their BLAKE3, in C order; memory layout and alignment do not count, dtype and shape do.
- Arrays of objects are walked item by item. A subclass of an array is its content and the attributes it adds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from blake3 import blake3

from jupyter_durable.serializer.instances import shape_of_type, state_of
from jupyter_durable.serializer.parts import Encode, Encoded, Names, sequence, wrapped

__all__ = ["Take", "encoder", "home", "of_library", "with_attributes"]

_MODULES: Final = frozenset({"numpy", "pandas", "polars"})

_INNER: Final = frozenset(
    {"_mmap", "_mask", "_fill_value", "_hardmask", "_sharedmask", "_isfield", "_baseclass", "_basedict", "_optinfo"}
)
"""Attributes of arrays that hold what is looked at otherwise, or how it came about."""

X87_BITS: Final = 63
"""The mantissa of numbers of ten bytes, which `longdouble` is on most machines,"""
X87_BYTES: Final = 10
X87_ROOM: Final = 16
"""in so many bytes of an array."""

Take: TypeAlias = Callable[[Any], tuple[Any, ...]]
"""What stands for a value of a library: a tuple made of builtin types and arrays."""


def encoder(kind: type) -> Encode | None:
    """The encoder of a type of numpy, Arrow or torch; None for any other one."""
    return of_library(kind, _LIBRARIES)


def of_library(kind: type, libraries: dict[str, Callable[[Any, type], Take | None]]) -> Encode | None:
    """The encoder of a type whose bases come from one of these libraries."""
    for owner in kind.__mro__:
        root = owner.__module__.partition(".")[0]
        find, library = libraries.get(root), sys.modules.get(root)
        # A library that is only half imported has no types yet.
        if find is not None and library is not None and hasattr(library, "__version__"):
            take = find(library, kind)
            return None if take is None else _standing_for(take)
    return None


def _standing_for(take: Take) -> Encode:
    def encode(names: Names, value: Any) -> Encoded:
        try:
            return wrapped(b"t", sequence(take(value)))
        # The library is asked for the content, and what it asks of the user's subclass or extension may raise anything.
        except Exception:  # noqa: BLE001
            return names.described(value)

    return encode


def _numpy(np: Any, kind: type) -> Take | None:
    if issubclass(kind, np.ma.MaskedArray):
        return with_attributes(kind, np.ma.MaskedArray, lambda value: _masked(np, value))
    if issubclass(kind, np.ndarray):
        return with_attributes(kind, np.ndarray, lambda value: _array(np, value))
    if issubclass(kind, np.generic):
        return with_attributes(kind, home(kind), lambda value: _array(np, np.asarray(value)))
    if issubclass(kind, np.dtype):
        return _dtype
    if issubclass(kind, np.ufunc):
        return lambda value: ("ufunc", _named(np, value))
    if issubclass(kind, np.random.Generator):
        return with_attributes(kind, np.random.Generator, lambda value: _generator(np, value))
    if issubclass(kind, np.random.RandomState):
        return with_attributes(kind, np.random.RandomState, lambda value: _legacy(np, value))
    return None


def _named(np: Any, value: Any) -> str:
    """The name of one of numpy's functions. Raises `LookupError` for any other one, whose name proves nothing."""
    name = str(value.__name__)
    if getattr(np, name, None) is not value:
        raise LookupError
    return name


def _generator(np: Any, value: Any) -> tuple[Any, ...]:
    """The state, and the seeds of what it may spawn; these are objects of their own where numpy did not make them."""
    bits = value.bit_generator
    seeds = bits.seed_seq
    return bits.state, seeds.state if type(seeds) is np.random.SeedSequence else seeds


def _legacy(np: Any, value: Any) -> tuple[Any, ...]:
    """The state; that of numpy's own generator, which estimators hold, is another one after each draw of anybody."""
    if value is vars(np.random.mtrand).get("_rand"):
        return ("numpy.random",)
    return (np.random.RandomState.get_state(value, legacy=False),)


def home(kind: type) -> type:
    """The first base of a class that a library made: it comes from the package that the class or a base is of."""
    return next(owner for owner in kind.__mro__ if owner.__module__.partition(".")[0] in _MODULES)


def with_attributes(kind: type, base: type, take: Take, inner: frozenset[str] = _INNER) -> Take:
    """The content, and the attributes and slots that a value has beside it, where it has any.

    `inner`: attributes that the library itself keeps.
    """
    shape = shape_of_type(kind, base)
    if shape.attributes is None and not shape.slots:
        return take

    def seen(value: Any) -> tuple[Any, ...]:
        content = take(value)
        state = {name: item for name, item in state_of(value, shape).items() if name not in inner}
        return (*content, state) if state else content

    return seen


def _masked(np: Any, value: Any) -> tuple[Any, ...]:
    return "masked", np.asarray(value.data), np.ma.getmaskarray(value), value.fill_value, bool(value.hardmask)


def _dtype(value: Any) -> tuple[Any, ...]:
    metadata = _metadata(value)
    return (repr(value),) if metadata is None else (repr(value), metadata)


def _metadata(dtype: Any) -> Any:
    """The metadata of a dtype, and that of its fields and items; None where there is none."""
    own = None if dtype.metadata is None else dict(dtype.metadata)
    if dtype.subdtype is not None:
        inner = {"": _metadata(dtype.subdtype[0])}
    else:
        inner = {name: _metadata(dtype.fields[name][0]) for name in dtype.names or ()}
    found = {name: item for name, item in inner.items() if item is not None}
    return (own, found) if found else own


def _array(np: Any, value: Any) -> tuple[Any, ...]:
    dtype = value.dtype
    metadata = _metadata(dtype)
    if metadata is not None:
        return "metadata", metadata, *_content(np, value, dtype)
    return _content(np, value, dtype)


def _content(np: Any, value: Any, dtype: Any) -> tuple[Any, ...]:
    if dtype.hasobject or dtype.kind == "T":
        return str(dtype), value.shape, np.asarray(value).ravel().tolist()
    if dtype.names is not None:  # field by field: the padding between them is not part of the value
        return str(dtype), value.shape, [np.asarray(value[name]) for name in dtype.names]
    if dtype.char in "gG" and np.finfo(dtype).nmant == X87_BITS:
        # The rest of each item is whatever was in memory.
        items = np.ascontiguousarray(value, dtype.newbyteorder("=")).reshape(-1).view("u1").reshape(-1, X87_ROOM)
        return dtype.str, str(dtype), value.shape, blake3(items[:, :X87_BYTES].tobytes()).digest()
    flat = np.ascontiguousarray(value).reshape(-1)
    return dtype.str, str(dtype), value.shape, blake3(flat.view("u1").data).digest() if flat.nbytes else b""


def _arrow(pa: Any, kind: type) -> Take | None:
    if issubclass(kind, (pa.Array, pa.ChunkedArray)):
        return lambda value: ("arrow", _streamed(pa, pa.table({"": value})))
    if issubclass(kind, pa.RecordBatch):
        return lambda value: ("arrow", _streamed(pa, pa.Table.from_batches([value])))
    if issubclass(kind, pa.Table):
        return lambda value: ("arrow", _streamed(pa, value))
    if issubclass(kind, pa.Scalar):
        return lambda value: ("scalar", _streamed(pa, pa.table({"": pa.array([value], value.type)})))
    if issubclass(kind, pa.Schema):
        return lambda value: ("schema", value.serialize().to_pybytes())
    if issubclass(kind, pa.Field):
        return lambda value: ("schema", pa.schema([value]).serialize().to_pybytes())
    if issubclass(kind, pa.DataType):
        return lambda value: ("schema", pa.schema([pa.field("", value)]).serialize().to_pybytes())
    if issubclass(kind, pa.Buffer):
        return lambda value: ("buffer", value.size, blake3(memoryview(value)).digest())
    return None


def _streamed(pa: Any, table: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = table.combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return blake3(memoryview(sink.getvalue())).digest()


def _torch(torch: Any, kind: type) -> Take | None:
    if issubclass(kind, torch.Tensor):
        return with_attributes(kind, torch.Tensor, lambda value: _tensor(torch, value))
    if issubclass(kind, torch.Generator):
        return lambda value: (str(value.device), value.get_state())
    if kind in (torch.dtype, torch.device, torch.layout, torch.memory_format):
        return lambda value: (str(value),)
    return None


def _tensor(torch: Any, value: Any) -> tuple[Any, ...]:
    said = (str(value.dtype), tuple(value.shape), str(value.device), value.requires_grad)
    gradient = value.grad if value.is_leaf else None
    held = (*said, gradient) if gradient is not None else said
    if value.device.type == "meta":
        return held
    content = value.detach().resolve_conj().resolve_neg()
    if content.layout != torch.strided:
        return *held, str(content.layout), *_sparse(torch, content)
    flat = content.cpu().contiguous().reshape(-1).view(torch.uint8)
    return *held, blake3(flat.numpy().data).digest() if flat.numel() else b""


def _sparse(torch: Any, value: Any) -> tuple[Any, ...]:
    if value.layout == torch.sparse_coo:
        whole = value.coalesce()
        return whole.indices(), whole.values()
    return (value.to_dense(),)


_LIBRARIES: Final[dict[str, Callable[[Any, type], Take | None]]] = {
    "numpy": _numpy,
    "pyarrow": _arrow,
    "torch": _torch,
}

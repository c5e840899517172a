"""Namespaces: prefixes of different namespaces never share anything."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Union

from .errors import FixRequest

__all__ = ["Namespace", "NamespaceLike", "encode_namespace"]

Part = Optional[Union[str, bytes]]


class Namespace(NamedTuple):
    """What keeps equal tokens apart. Each part is None, a string or bytes, at most 1,024 bytes."""

    model: Part = None
    lora: Part = None
    salt: Part = None
    extra_key: Part = None


NamespaceLike = Optional[Union[Namespace, str]]


def encode_namespace(namespace: Union[Namespace, str]) -> List[Part]:
    """The array of four. A plain string is an `extra_key`, SGLang's only part.

    Raises FixRequest for other types, plain tuples among them: which part is which must be written.
    """
    if isinstance(namespace, str):
        namespace = Namespace(extra_key=namespace)
    if not isinstance(namespace, Namespace):
        raise FixRequest(
            f"namespace must be radixmesh.Namespace or a string, not {type(namespace).__name__}"
        )
    for name, part in zip(Namespace._fields, namespace):
        if part is not None and not isinstance(part, (str, bytes)):
            raise FixRequest(
                f"namespace.{name} must be None, a string or bytes, not {type(part).__name__}"
            )
    return list(namespace)

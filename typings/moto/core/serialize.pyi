from collections.abc import Mapping
from typing import TypedDict

from moto.core.model import OperationModel

class ResponseDict(TypedDict):
    body: str | bytes
    headers: Mapping[str, str]
    status_code: int

class SerializationContext:
    def __init__(self, request_id: str | None = ...) -> None: ...

class ResponseSerializer:
    def __init__(self, operation_model: OperationModel, context: SerializationContext | None = ...) -> None: ...
    def serialize(self, result: object) -> ResponseDict: ...

def get_serializer_class(service_name: str, protocol: str) -> type[ResponseSerializer]: ...

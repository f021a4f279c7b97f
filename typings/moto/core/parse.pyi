from collections.abc import Mapping

from moto.core.model import OperationModel

class RequestParserError(Exception): ...

class RequestParser:
    def __init__(self, operation_model: OperationModel) -> None: ...
    def parse(self, request_dict: Mapping[str, object]) -> dict[str, object]: ...

PROTOCOL_PARSERS: Mapping[str, type[RequestParser]]

from collections.abc import Mapping

from botocore.model import Shape

class HTTPTrait:
    method: str
    path: str
    query_args: Mapping[str, str]

class OperationModel:
    name: str
    @property
    def http_trait(self) -> HTTPTrait: ...
    @property
    def output_shape(self) -> Shape | None: ...

class ServiceModel:
    @property
    def operation_names(self) -> list[str]: ...
    def operation_model(self, operation_name: str) -> OperationModel: ...

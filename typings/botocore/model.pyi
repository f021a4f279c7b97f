from collections.abc import Mapping

class Shape:
    metadata: Mapping[str, object]

class StructureShape(Shape):
    @property
    def members(self) -> Mapping[str, Shape]: ...

class ListShape(Shape):
    @property
    def member(self) -> Shape: ...

class StringShape(Shape):
    @property
    def enum(self) -> list[str]: ...

class OperationModel:
    name: str
    @property
    def input_shape(self) -> Shape | None: ...
    @property
    def output_shape(self) -> Shape | None: ...

class ServiceModel:
    @property
    def operation_names(self) -> list[str]: ...
    def operation_model(self, operation_name: str) -> OperationModel: ...

from collections.abc import Mapping

from botocore.model import Shape

class ValidationErrors:
    def has_errors(self) -> bool: ...
    def generate_report(self) -> str: ...

class ParamValidator:
    def validate(self, params: Mapping[str, object], shape: Shape) -> ValidationErrors: ...

class PSInvocationState:
    RUNNING: int
    COMPLETED: int

class PSCredential:
    def __init__(self, *, username: str, password: str) -> None: ...

class GenericComplexObject:
    adapted_properties: dict[str, object]
    extended_properties: dict[str, object]
    to_string: str | None
    types: list[str]
    property_sets: list[object]

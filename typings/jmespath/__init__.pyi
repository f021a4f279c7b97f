from typing import Protocol

class Parsed(Protocol):
    def search(self, value: object) -> object: ...

def compile(expression: str) -> Parsed: ...  # noqa: A001

class PSInvocationState:
    RUNNING: int
    COMPLETED: int

class PSCredential:
    def __init__(self, *, username: str, password: str) -> None: ...

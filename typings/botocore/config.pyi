from collections.abc import Mapping

class Config:
    def __init__(
        self,
        *,
        connect_timeout: float = ...,
        read_timeout: float = ...,
        retries: Mapping[str, str | int] = ...,
        user_agent_extra: str = ...,
        max_pool_connections: int = ...,
    ) -> None: ...

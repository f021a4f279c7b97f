import requests

class _TransportHTTP:
    endpoint: str
    ssl: bool
    session: requests.Session | None
    encryption: object | None
    def __init__(
        self,
        server: str,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        ssl: bool = True,
        path: str = "wsman",
        *,
        auth: str = "negotiate",
        cert_validation: bool | str = True,
        no_proxy: bool = False,
        negotiate_hostname_override: str | None = None,
        negotiate_service: str = "WSMAN",
    ) -> None: ...
    def close(self) -> None: ...
    def send(
        self,
        message: bytes,
        *,
        retries_on_read_timeout: int = 0,
        timeout: float | tuple[float, float] | None = None,
    ) -> bytes: ...
    def _build_session(self) -> requests.Session: ...

class WSMan:
    max_payload_size: int
    transport: _TransportHTTP
    def __init__(
        self,
        server: str,
        *,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        ssl: bool = True,
        path: str = "wsman",
        auth: str = "negotiate",
        operation_timeout: int = 20,
        no_proxy: bool = False,
    ) -> None: ...

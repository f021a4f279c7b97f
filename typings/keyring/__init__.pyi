class Credential:
    username: str | None
    password: str | None

def get_credential(service_name: str, username: str | None) -> Credential | None: ...

from wsgiref.types import WSGIEnvironment

from moto.core.model import ServiceModel
from werkzeug.wrappers import Request as WerkzeugRequest

class Request(WerkzeugRequest):
    def __init__(self, environ: WSGIEnvironment) -> None: ...
    @property
    def raw_path(self) -> str: ...

def determine_request_protocol(service_model: ServiceModel, content_type: str | None = ...) -> str: ...

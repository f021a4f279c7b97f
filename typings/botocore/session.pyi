from botocore.model import ServiceModel

class Session:
    def get_service_model(self, service_name: str) -> ServiceModel: ...

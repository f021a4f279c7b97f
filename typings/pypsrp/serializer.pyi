from xml.etree.ElementTree import Element

class ObjectMeta: ...

class Serializer:
    def deserialize(
        self, element: Element | str, metadata: ObjectMeta | None = None, clear: bool = True
    ) -> object: ...

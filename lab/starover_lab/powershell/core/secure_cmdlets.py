"""ConvertTo-SecureString of a text."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.powershell.command import Invocation, Parameter
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.core.common import cmdlet
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import SecureString, Value

__all__ = ["COMMANDS"]

_PLAIN = (
    "The system cannot protect plain text input. To suppress this warning and convert the plain text to a SecureString,"
    " reissue the command specifying the Force parameter. For more information ,type: get-help ConvertTo-SecureString."
)


def _convert(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        if not to_bool(bound.get("AsPlainText", False)):
            raise Unsupported("ConvertTo-SecureString of a text that is encrypted already")
        if not to_bool(bound.get("Force", False)):
            raise call.fail(
                call.record(
                    "ImportSecureString_ForceRequired",
                    "InvalidArgument",
                    _PLAIN,
                    type_name="System.ArgumentException",
                )
            )
        yield SecureString(to_string(bound.get("String")))


COMMANDS = (
    cmdlet(
        "ConvertTo-SecureString",
        _convert,
        Parameter.of("String", "string", mandatory=True, position=0, by_value=True),
        Parameter.of("AsPlainText", "switch", position=1),
        Parameter.of("Force", "switch", position=2),
    ),
)

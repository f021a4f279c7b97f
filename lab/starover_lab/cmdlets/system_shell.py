"""A script file run by powershell.exe as LocalSystem, as the SSM agent does it; knows neither the agent nor a wire.

`powershell.exe -InputFormat None -Noninteractive -NoProfile -ExecutionPolicy unrestricted -f` (facts/ssm.md): the exit
code is that of `exit`, 1 after a terminating error, else 0 whatever `$?` says.
"""

from __future__ import annotations

from collections.abc import Mapping

from starover_lab.cmdlets.console import Console
from starover_lab.powershell.errors import Terminated
from starover_lab.powershell.values import Value
from starover_lab.wire.endpoint import Command, Pipeline, Runspace, Stream, Write

__all__ = ["run_file"]


def run_file(runspace: Runspace, script: str, environment: Mapping[str, str], write: Write) -> int:
    """Run it to the end, in the caller's coroutine; closes the session."""
    console = Console(write, xml=False)
    try:
        for name, value in environment.items():
            literal = value.replace("'", "''")
            runspace.invoke(_script(f"${{env:{name}}} = '{literal}'"), _nowhere)
        code = runspace.invoke(_script(script), console.emit)
    except Terminated as error:
        console.failed(error.record)
        return 1
    finally:
        console.close()
        runspace.close()
    return code or 0


def _script(text: str) -> Pipeline:
    return Pipeline(commands=(Command(text=text, is_script=True, use_local_scope=False),))


def _nowhere(_: Stream, __: Value) -> None:
    """It says nothing."""

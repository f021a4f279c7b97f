"""Files of another host as a server's own account reaches them over SMB; knows no session and no PowerShell."""

from __future__ import annotations

from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.files import FileStore
from starover_lab.world.machine_build import FILE_SHARING
from starover_lab.world.names import same
from starover_lab.world.principals import ETS
from starover_lab.world.state import State, first_label
from starover_lab.world.witness_share import administered, rule_open

__all__ = ["over_smb"]


def over_smb(state: State, asking: Server, path: str) -> tuple[FileStore, str]:
    r"""The files, and the path there, that `\\HOST\SHARE\...` means to the account `ASKING$`.

    Raises `no_network_path` where nobody answers on SMB or there is no such share, `access_denied` without rights. Of
    the rights on a share only those of the share itself are looked at; administrators have `C$` and the like.
    """
    name, _, rest = path.lstrip("\\").partition("\\")
    share, _, below = rest.partition("\\")
    host = next((one for one in state.servers if same(first_label(name), one.name) or one.address == name), None)
    if host is None or not state.reaches(asking, host) or not _serves(state, host):
        raise WorldError("no_network_path", f"{name} does not answer on SMB", path=path)
    trusted = f"{state.netbios}\\{ETS}"
    if share.endswith("$") and len(share) == 2:
        if asking.exchange is None or not administered(state, host):
            raise WorldError("access_denied", f"{asking.name}$ is no administrator of {host.name}", path=path)
        return host.files, f"{share[0]}:\\{below}"
    found = host.shares.get(share)
    if found is None:
        raise WorldError("no_network_path", f"{host.name} has no share {share}", path=path)
    allowed = {one.casefold() for one in found.access}
    own = {"everyone", f"{state.netbios}\\{asking.name}$".casefold()}
    own |= {trusted.casefold()} if asking.exchange is not None else set()
    if not own & allowed:
        raise WorldError("access_denied", f"{asking.name}$ has no right on {share}", path=path)
    return host.files, f"{found.path}\\{below}"


def _serves(state: State, host: Server) -> bool:
    return rule_open(host, FILE_SHARING) and state.runs(host, "LanmanServer")

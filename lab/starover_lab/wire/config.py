"""The answer to Get of `winrm/config` (rule R44): the elements of the recorded servers, for the client's own limits."""

from __future__ import annotations

__all__ = ["config"]

Tree = dict[str, "str | Tree"]
_XMLNS = '<cfg:Config xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config">{}</cfg:Config>'

_PORTS: Tree = {"HTTP": "5985", "HTTPS": "5986"}


def config(*, allow_unencrypted: bool, operations: int, idle: int, processes: int, shells: int) -> str:
    """`cfg:Config` of a service with these quotas; `idle` in milliseconds."""
    return _XMLNS.format(_elements(_values(allow_unencrypted, operations, idle, processes, shells)))


def _values(allow_unencrypted: bool, operations: int, idle: int, processes: int, shells: int) -> Tree:
    return {
        "MaxEnvelopeSizekb": "500",
        "MaxTimeoutms": "60000",
        "MaxBatchItems": "32000",
        "MaxProviderRequests": "4294967295",
        "Client": {
            "NetworkDelayms": "5000",
            "URLPrefix": "wsman",
            "AllowUnencrypted": "false",
            "Auth": {
                "Basic": "true",
                "Digest": "true",
                "Kerberos": "true",
                "Negotiate": "true",
                "Certificate": "true",
                "CredSSP": "false",
            },
            "DefaultPorts": _PORTS,
            "TrustedHosts": "",
        },
        "Service": {
            "RootSDDL": "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)",
            "MaxConcurrentOperations": "4294967295",
            "MaxConcurrentOperationsPerUser": str(operations),
            "EnumerationTimeoutms": "240000",
            "MaxConnections": "300",
            "MaxPacketRetrievalTimeSeconds": "120",
            "AllowUnencrypted": str(allow_unencrypted).lower(),
            "Auth": {
                "Basic": "true",
                "Kerberos": "true",
                "Negotiate": "true",
                "Certificate": "false",
                "CredSSP": "false",
                "CbtHardeningLevel": "Relaxed",
            },
            "DefaultPorts": _PORTS,
            "IPv4Filter": "*",
            "IPv6Filter": "*",
            "EnableCompatibilityHttpListener": "false",
            "EnableCompatibilityHttpsListener": "false",
            "CertificateThumbprint": "",
            "AllowRemoteAccess": "true",
        },
        "Winrs": {
            "AllowRemoteShellAccess": "true",
            "IdleTimeout": str(idle),
            "MaxConcurrentUsers": "2147483647",
            "MaxShellRunTime": "2147483647",
            "MaxProcessesPerShell": str(processes),
            "MaxMemoryPerShellMB": "2147483647",
            "MaxShellsPerUser": str(shells),
        },
    }


def _elements(tree: Tree) -> str:
    parts: list[str] = []
    for name, value in tree.items():
        inner = value if isinstance(value, str) else _elements(value)
        parts.append(f"<cfg:{name}>{inner}</cfg:{name}>")
    return "".join(parts)

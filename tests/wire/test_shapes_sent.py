"""How .NET's own types travel: addresses as URI, certificates by their encoded form, CIM instances by class."""

from __future__ import annotations

import pytest
from lab_hosts import Estate
from starover_lab.cmdlets.cim_objects import cim
from starover_lab.cmdlets.uris import uri
from starover_lab.powershell.values import PSObject
from starover_lab.wire.clixml import serialize


@pytest.fixture
def estate() -> Estate:
    return Estate()


def test_an_address_is_a_primitive() -> None:
    text = serialize(PSObject([("InternalUrl", uri("https://mail.example.com/owa?a=1&b=2"))]))
    assert '<URI N="InternalUrl">https://mail.example.com/owa?a=1&amp;b=2</URI>' in text


def test_a_certificate_of_the_store_travels_by_its_encoded_form(estate: Estate) -> None:
    told = estate.open().run("Get-ChildItem -Path 'Cert:\\LocalMachine\\My'")
    assert told.output
    text = serialize(told.output[0])
    assert '<BA N="RawData">' in text
    assert 'N="Thumbprint"' not in text
    assert 'N="PSChildName"' in text


def test_cim_instances_name_their_class_twice() -> None:
    base = "Microsoft.Management.Infrastructure.CimInstance"
    assert cim("MSFT_SmbShare", [], namespace="ROOT/Microsoft/Windows/SMB").type_names == [
        f"{base}#ROOT/Microsoft/Windows/SMB/MSFT_SmbShare",
        f"{base}#MSFT_SmbShare",
        base,
        "System.Object",
    ]

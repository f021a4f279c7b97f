"""Computer accounts, groups and replication as each DC knows them."""

from __future__ import annotations

from collections.abc import Callable

from world.conftest import Lab, refusal

TRUSTED = "EXAMPLE\\Exchange Trusted Subsystem"


def test_an_account_is_staged_on_one_dc_and_reaches_the_others(lab: Callable[..., Lab]) -> None:
    one = lab()
    ad = one.world.ad
    made = ad.new_computer("DAG9", "EX1", enabled=False, description="DAG CNO", path="OU=DAGs,DC=example,DC=com")
    assert (made.enabled, made.path, made.password_set) == (False, "OU=DAGs,DC=example,DC=com", None)
    ad.grant("DAG9", "Exchange Trusted Subsystem", "EX1")
    ad.grant("dag9$", TRUSTED, "EX1")
    assert ad.computer("DAG9", "EX2").full_control == (TRUSTED,)
    assert refusal(lambda: ad.computer("DAG9", "EX3")).data["dc"] == "DC2"
    one.later(181)
    assert ad.computer("DAG9", "EX3").full_control == (TRUSTED,)
    assert refusal(lambda: ad.new_computer("dag9", "EX3")).kind == "exists"
    ad.revoke("DAG9", TRUSTED, "EX3")
    ad.set_computer("DAG9", "EX3", enabled=True, description="used")
    assert ad.computer("DAG9", "EX3").enabled
    assert not ad.computer("DAG9", "EX1").enabled
    ad.remove_computer("DAG9", "EX3")
    one.later(181)
    assert refusal(lambda: ad.computer("DAG9", "EX1")).kind == "not_found"
    for name in ("", "a" * 16, "a b", "a.b"):
        assert refusal(lambda name=name: ad.new_computer(name, "EX1")).kind == "syntax"


def test_hosts_have_accounts_and_exchange_servers_their_group(lab: Callable[..., Lab]) -> None:
    ad = lab().world.ad
    assert {computer.name for computer in ad.computers("EX1")} >= {"DC1", "EX1", "FSW3"}
    assert ad.group("Exchange Trusted Subsystem", "EX1").members == tuple(f"EXAMPLE\\EX{n}$" for n in (1, 2, 3, 4))
    sids = [computer.sid for computer in ad.computers("EX1")]
    assert len(set(sids)) == len(sids)
    assert {sid.rpartition("-")[0] for sid in sids} == {ad.sid("EXAMPLE\\Domain Admins").rpartition("-")[0]}
    assert ad.sid("BUILTIN\\Administrators") == "S-1-5-32-544"
    assert refusal(lambda: ad.account_of("S-1-5-21-9-9-9-9")).kind == "not_found"


def test_groups_of_the_domain(lab: Callable[..., Lab]) -> None:
    ad = lab().world.ad
    ad.add_to_group("Administrators", "Exchange Trusted Subsystem", "EX1")
    assert TRUSTED in ad.group("S-1-5-32-544", "EX1").members
    assert refusal(lambda: ad.add_to_group("Administrators", TRUSTED, "EX1")).kind == "already_in_group"
    ad.remove_from_group("Administrators", TRUSTED, "EX1")
    assert refusal(lambda: ad.remove_from_group("Administrators", TRUSTED, "EX1")).kind == "not_in_group"
    assert refusal(lambda: ad.group("Wizards", "EX1")).kind == "not_found"


def test_replication_is_healthy_until_it_is_not(lab: Callable[..., Lab]) -> None:
    one = lab()
    ad = one.world.ad
    assert len(ad.replication()) == 6
    assert {partner.failures for partner in ad.replication()} == {0}
    one.world.fault("dc_down", "DC2")
    one.later(hours=2)
    broken = {(partner.dc, partner.partner) for partner in ad.replication() if partner.failures}
    assert broken == {("DC1", "DC2"), ("DC2", "DC1"), ("DC2", "DC3"), ("DC3", "DC2")}
    assert [view.up for view in ad.controllers()] == [True, False, True]
    one.world.fault("ad_replication_stopped")
    one.later(hours=1)
    assert all(partner.failures for partner in ad.replication())
    one.world.mend()
    one.later(minutes=10)
    assert {partner.failures for partner in ad.replication()} == {0}


def test_a_push_is_faster_than_waiting(lab: Callable[..., Lab]) -> None:
    one = lab()
    ad = one.world.ad
    ad.new_computer("DAG9", "EX1", enabled=False)
    arrives = ad.sync("EX1")
    one.later((arrives - one.world.now).total_seconds())
    assert ad.computer("DAG9", "EX3").name == "DAG9"
    assert ad.sync("EX1") == one.world.now
    one.later(200)
    assert ad.computer("DAG9", "EX3").name == "DAG9", "what was pushed does not come twice"

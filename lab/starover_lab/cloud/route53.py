"""Route 53 as its API shows it: the estate's public zone, change batches and their rules; answers are `dns_answers`'.

The rules of a change batch are those of the documentation of ChangeResourceRecordSets: it is done whole or not at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NoReturn

from starover_lab.cloud.alarms import Alarms
from starover_lab.cloud.balancing import NLB_ZONE, Balancing
from starover_lab.cloud.dns_answers import Answers
from starover_lab.cloud.errors import CloudError, not_simulated
from starover_lab.cloud.given import Given, Reply, flag, number, table, tables, text, texts
from starover_lab.cloud.health_checks import HealthChecks, marked
from starover_lab.world.world import World

__all__ = ["Route53"]

Key = tuple[str, str, str]
"""Name with its dot in lower case, type, set identifier."""
_POLICIES = ("Weight", "Failover", "Region", "GeoLocation", "MultiValueAnswer")


@dataclass(eq=False)
class _Zone:
    id: str
    name: str
    """With its dot."""
    caller: str
    comment: str = ""
    records: dict[Key, Reply] = field(default_factory=dict[Key, Reply])


class Route53:
    """All hosted zones of the account."""

    def __init__(self, world: World, balancing: Balancing, alarms: Alarms) -> None:
        self._state = world.state
        self._zones: dict[str, _Zone] = {}
        self._made = 0
        """How many zones there ever were: an id is given once."""
        self._changes: dict[str, datetime] = {}
        """Change to when it was asked for."""
        self._tags: dict[tuple[str, str], dict[str, str]] = {}
        self.checks = HealthChecks(world, alarms)
        self._answers = Answers(world, balancing, self.checks, self._named)
        zone = self._new_zone(self._state.dns_name, "lab")
        for one in world.topology.client_names:
            balancer = next((this for this in balancing.balancers.values() if this.name == one.balancer), None)
            if balancer is not None and one.name.casefold().endswith(zone.name[:-1].casefold()):
                alias: Reply = {
                    "HostedZoneId": NLB_ZONE,
                    "DNSName": f"{balancer.fqdn}.",
                    "EvaluateTargetHealth": False,
                }
                self._put(zone, {"Name": _dotted(one.name), "Type": "A", "AliasTarget": alias})
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "list_hosted_zones": self.list_hosted_zones,
            "list_hosted_zones_by_name": self.list_hosted_zones_by_name,
            "get_hosted_zone": self.get_hosted_zone,
            "get_hosted_zone_count": self.get_hosted_zone_count,
            "delete_hosted_zone": self.delete_hosted_zone,
            "create_hosted_zone": self.create_hosted_zone,
            "list_resource_record_sets": self.list_resource_record_sets,
            "change_resource_record_sets": self.change_resource_record_sets,
            "get_change": self.get_change,
            "test_dns_answer": self.test_dns_answer,
            "change_tags_for_resource": self.change_tags_for_resource,
            "list_tags_for_resource": self.list_tags_for_resource,
            **self.checks.calls,
        }

    # -- zones ---------------------------------------------------------------------------------------------------

    def _new_zone(self, name: str, caller: str) -> _Zone:
        identity = f"Z0{self._state.dice.text('hosted zone', f'{name} {self._made}', 16).upper()}"
        self._made += 1
        zone = _Zone(identity, _dotted(name), caller)
        servers = [f"ns-{n}.awsdns-0{n}.org." for n in range(1, 5)]
        self._put(zone, {"Name": zone.name, "Type": "NS", "TTL": 172800, "ResourceRecords": _values(servers)})
        soa = f"{servers[0]} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
        self._put(zone, {"Name": zone.name, "Type": "SOA", "TTL": 900, "ResourceRecords": _values([soa])})
        self._zones[identity] = zone
        return zone

    def _zone(self, given: Given, name: str = "HostedZoneId") -> _Zone:
        found = self._zones.get(text(given, name).rpartition("/")[2])
        if found is None:
            raise CloudError("NoSuchHostedZone", f"No hosted zone found with ID: {text(given, name)}")
        return found

    def _shown(self, zone: _Zone) -> Reply:
        return {
            "Id": f"/hostedzone/{zone.id}",
            "Name": zone.name,
            "CallerReference": zone.caller,
            "Config": {"Comment": zone.comment, "PrivateZone": False},
            "ResourceRecordSetCount": len(zone.records),
        }

    def list_hosted_zones(self, given: Given) -> Reply:
        """Zones."""
        return marked(given, "HostedZones", [self._shown(one) for one in self._zones.values()])

    def get_hosted_zone_count(self, given: Given) -> Reply:  # noqa: ARG002 - takes nothing
        """How many there are."""
        return {"HostedZoneCount": len(self._zones)}

    def delete_hosted_zone(self, given: Given) -> Reply:
        """Take a zone away that has nothing but its own NS and SOA."""
        zone = self._zone(given, "Id")
        if any(kind not in ("NS", "SOA") or name != zone.name.casefold() for name, kind, _ in zone.records):
            words = "The specified hosted zone contains non-required resource record sets and so cannot be deleted."
            raise CloudError("HostedZoneNotEmpty", words)
        del self._zones[zone.id]
        return {"ChangeInfo": self._change()}

    def list_hosted_zones_by_name(self, given: Given) -> Reply:
        """Zones from a name on, by their labels from the right."""
        first = _labels(_dotted(text(given, "DNSName"))) if "DNSName" in given else []
        known = sorted(self._zones.values(), key=lambda zone: _labels(zone.name))
        most = number(given, "MaxItems", 0) or int(text(given, "MaxItems", "100"))
        found = [self._shown(one) for one in known if _labels(one.name) >= first]
        shown: Reply = {"HostedZones": found[:most], "IsTruncated": len(found) > most, "MaxItems": str(most)}
        return shown | ({"DNSName": text(given, "DNSName")} if "DNSName" in given else {})

    def get_hosted_zone(self, given: Given) -> Reply:
        """One zone with its name servers."""
        zone = self._zone(given, "Id")
        servers = [text(one, "Value") for one in tables(zone.records[zone.name, "NS", ""], "ResourceRecords")]
        return {"HostedZone": self._shown(zone), "DelegationSet": {"NameServers": servers}}

    def create_hosted_zone(self, given: Given) -> Reply:
        """A public zone."""
        if "VPC" in given or flag(table(given, "HostedZoneConfig"), "PrivateZone"):
            not_simulated("private hosted zones")
        if any(one.caller == text(given, "CallerReference") for one in self._zones.values()):
            raise CloudError("HostedZoneAlreadyExists", "A hosted zone has already been created with that reference")
        zone = self._new_zone(text(given, "Name"), text(given, "CallerReference"))
        zone.comment = text(table(given, "HostedZoneConfig"), "Comment")
        got = self.get_hosted_zone({"Id": zone.id})
        return {**got, "ChangeInfo": self._change(), "Location": f"https://route53.amazonaws.com/{zone.id}"}

    # -- records -------------------------------------------------------------------------------------------------

    def _put(self, zone: _Zone, record: Reply) -> None:
        zone.records[_key(record)] = record

    def list_resource_record_sets(self, given: Given) -> Reply:
        """Records from a name on, by their labels from the right."""
        zone = self._zone(given)
        start = (
            _labels(_dotted(text(given, "StartRecordName"))) if "StartRecordName" in given else [],
            text(given, "StartRecordType"),
            text(given, "StartRecordIdentifier"),
        )
        every = sorted(zone.records.items(), key=lambda one: (_labels(one[0][0]), one[0][1], one[0][2]))
        found = [record for key, record in every if (_labels(key[0]), key[1], key[2]) >= start]
        most = int(text(given, "MaxItems", "300"))
        shown: Reply = {"ResourceRecordSets": found[:most], "IsTruncated": len(found) > most, "MaxItems": str(most)}
        if len(found) > most:
            name, kind, identifier = _key(found[most])
            shown |= {"NextRecordName": name, "NextRecordType": kind}
            shown |= {"NextRecordIdentifier": identifier} if identifier else {}
        return shown

    def change_resource_record_sets(self, given: Given) -> Reply:
        """A batch: all of it, or nothing and what is wrong with each."""
        zone, batch = self._zone(given), table(given, "ChangeBatch")
        records = dict(zone.records)
        wrong: list[str] = []
        seen: set[tuple[str, Key]] = set()
        for one in tables(batch, "Changes"):
            action, record = text(one, "Action"), dict(table(one, "ResourceRecordSet"))
            record["Name"] = _dotted(text(record, "Name"))
            try:
                _check_shape(action, record)
                self._check(zone, action, record, records)
                if (action, _key(record)) in seen:
                    _bad("The request contains an invalid set of changes for a resource record set", record)
                seen.add((action, _key(record)))
            except CloudError as error:
                if error.code != "InvalidChangeBatch":
                    raise  # it has a code of its own, and ends the call
                wrong.append(error.message)
                continue
            if action == "DELETE":
                del records[_key(record)]
            else:
                records[_key(record)] = record
        wrong += [] if wrong else _conflicts(records)
        if wrong:
            raise CloudError("InvalidChangeBatch", f"[{', '.join(wrong)}]")
        zone.records = records
        for one in tables(batch, "Changes"):
            asked = table(one, "ResourceRecordSet")
            self._state.log.add("route53", text(asked, "Name"), action=text(one, "Action"), type=text(asked, "Type"))
        return {"ChangeInfo": self._change(text(batch, "Comment"))}

    def _check(self, zone: _Zone, action: str, record: Reply, records: Mapping[Key, Reply]) -> None:
        key, name = _key(record), str(record["Name"])
        if not (name.casefold() == zone.name.casefold() or name.casefold().endswith(f".{zone.name.casefold()}")):
            _bad(f"RRSet with DNS name {name} is not permitted in zone {zone.name}")
        alias = "AliasTarget" in record
        if alias and _dotted(text(table(record, "AliasTarget"), "DNSName")).casefold() == name.casefold():
            _bad("Tried to create an alias that targets itself", record)
        if "Weight" in record and not 0 <= number(record, "Weight") <= 255:
            _bad("Weight is between 0 and 255", record)
        if text(record, "Type") == "A":
            for one in tables(record, "ResourceRecords"):
                _check_address(text(one, "Value"), record)
        values = [text(one, "Value") for one in tables(record, "ResourceRecords")]
        if twice := next((one for one in values if values.count(one) > 1), ""):
            _bad(f"Duplicate Resource Record: '{twice}'", record)
        if alias and action != "DELETE" and not self._aims(zone, record, records):
            aim = text(table(record, "AliasTarget"), "DNSName")
            _bad(
                f"Tried to create an alias that targets {_dotted(aim)}, type {text(record, 'Type')} in zone {zone.id}, "
                "but that target was not found"
            )
        if text(record, "Type") == "CNAME" and name.casefold() == zone.name.casefold():
            _bad(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone.name}")
        if "HealthCheckId" in record and not self.checks.known(text(record, "HealthCheckId")):
            raise CloudError("NoSuchHealthCheck", f"No health check exists with ID: {text(record, 'HealthCheckId')}")
        if action == "CREATE" and key in records:
            _bad("Tried to create resource record set [{0}] but it already exists", record)
        if action == "DELETE" and key not in records:
            _bad("Tried to delete resource record set [{0}] but it was not found", record)
        if action == "DELETE" and _same(records[key]) != _same(record):
            _bad(
                "Tried to delete resource record set [{0}] but the values provided do not match the current values",
                record,
            )
        if action == "DELETE" and key[1] in ("NS", "SOA") and key[0] == zone.name.casefold():
            _bad("A HostedZone must contain at least one NS record for the zone itself.")

    def _aims(self, zone: _Zone, record: Given, records: Mapping[Key, Reply]) -> bool:
        """Whether an alias within its own zone leads to a record; others are not looked at."""
        aim = table(record, "AliasTarget")
        if text(aim, "HostedZoneId").rpartition("/")[2] != zone.id:
            return True
        wanted = _dotted(text(aim, "DNSName")).casefold(), text(record, "Type")
        return any(key[:2] == wanted for key in records)

    def _named(self, name: str, kind: str) -> list[Reply]:
        """The records of a name and type, in whatever zone has them."""
        wanted = (_dotted(name).casefold(), kind)
        return [record for zone in self._zones.values() for key, record in zone.records.items() if key[:2] == wanted]

    # -- changes -------------------------------------------------------------------------------------------------

    def _change(self, comment: str = "") -> Reply:
        identity = f"C0{self._state.dice.text('change', str(len(self._changes)), 16).upper()}"
        self._changes[identity] = self._state.now
        return self._change_shown(identity) | ({"Comment": comment} if comment else {})

    def _change_shown(self, identity: str) -> Reply:
        asked = self._changes[identity]
        there = (self._state.now - asked).total_seconds() >= self._state.tuning.route53_change_s
        status: Literal["INSYNC", "PENDING"] = "INSYNC" if there else "PENDING"
        return {"Id": f"/change/{identity}", "Status": status, "SubmittedAt": asked}

    def get_change(self, given: Given) -> Reply:
        """Whether all name servers have it."""
        identity = text(given, "Id").rpartition("/")[2]
        if identity not in self._changes:
            raise CloudError("NoSuchChange", f"A change with the ID {identity} does not exist")
        return {"ChangeInfo": self._change_shown(identity)}

    def test_dns_answer(self, given: Given) -> Reply:
        """What a name server of the zone answers."""
        zone, name, kind = self._zone(given), _dotted(text(given, "RecordName")), text(given, "RecordType")
        ones = [record for key, record in zone.records.items() if key[:2] == (name.casefold(), kind)]
        there = any(key[0] == name.casefold() for key in zone.records)
        return {
            "Nameserver": "ns-1.awsdns-01.org",
            "RecordName": name.rstrip("."),
            "RecordType": kind,
            "RecordData": self._answers.of(ones),
            "ResponseCode": "NOERROR" if there else "NXDOMAIN",
            "Protocol": "UDP",
        }

    # -- tags ----------------------------------------------------------------------------------------------------

    def change_tags_for_resource(self, given: Given) -> Reply:
        """Tag a zone or a health check."""
        tags = self._tags.setdefault(self._tagged(given), {})
        for key in texts(given, "RemoveTagKeys"):
            tags.pop(key, None)
        tags |= {text(one, "Key"): text(one, "Value") for one in tables(given, "AddTags")}
        return {}

    def _tagged(self, given: Given) -> tuple[str, str]:
        """Kind and id of what has tags. Raises `NoSuchHealthCheck` and `NoSuchHostedZone`."""
        kind, identity = text(given, "ResourceType"), text(given, "ResourceId")
        if kind == "healthcheck" and not self.checks.known(identity):
            raise CloudError("NoSuchHealthCheck", f"No health check exists with ID: {identity}")
        if kind == "hostedzone":
            self._zone({"HostedZoneId": identity})
        return kind, identity

    def list_tags_for_resource(self, given: Given) -> Reply:
        """Its tags."""
        kind, identity = self._tagged(given)
        tags = self._tags.get((kind, identity), {})
        shown = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        return {"ResourceTagSet": {"ResourceType": kind, "ResourceId": identity, "Tags": shown}}


def _check_shape(action: str, record: Given) -> None:
    """Raise `InvalidInput`, which ends the call, for a record set that is none."""
    policies = [one for one in _POLICIES if one in record]
    kept = text(record, "SetIdentifier") or "null"
    of = f"[Action={action}, Name={text(record, 'Name')}, Type={text(record, 'Type')}, SetIdentifier={kept}]"
    if policies and "SetIdentifier" not in record:
        raise CloudError("InvalidInput", f"Invalid request: Missing field 'SetIdentifier' in Change with {of}")
    if len(policies) > 1 or (not policies and "SetIdentifier" in record):
        found = "more than one" if policies else "none"
        words = f"Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer], but found {found}"
        raise CloudError("InvalidInput", f"Invalid request: {words} in Change with {of}")
    alias, plain = "AliasTarget" in record, "TTL" in record and "ResourceRecords" in record
    if alias == plain or (alias and ("TTL" in record or "ResourceRecords" in record)):
        found = "more than one" if alias else "none"
        one_of = "[AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]"
        words = f"Expected exactly one of {one_of}, but found {found}"
        raise CloudError("InvalidInput", f"Invalid request: {words} in Change with {of}")


def _bad(words: str, record: Reply | None = None) -> NoReturn:
    told = ""
    if record is not None:
        told = f"name='{record['Name']}', type='{record['Type']}'"
        told += f", set-identifier='{record['SetIdentifier']}'" if "SetIdentifier" in record else ""
        words = words.format(told) if "{0}" in words else f"{words} [{told}]"
    raise CloudError("InvalidChangeBatch", words)


def _conflicts(records: Mapping[Key, Reply]) -> list[str]:
    """What may not stand side by side: a CNAME and anything, a simple record and one with a policy."""
    wrong: list[str] = []
    by_name: dict[str, list[Key]] = {}
    for key in records:
        by_name.setdefault(key[0], []).append(key)
    for name, keys in by_name.items():
        kinds = {kind for _, kind, _ in keys}
        if "CNAME" in kinds and len(kinds) > 1:
            wrong.append(
                f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records"
            )
        for kind in sorted(kinds):
            sets = [records[key] for key in keys if key[1] == kind]
            policies = {next((one for one in _POLICIES if one in record), "") for record in sets}
            if len(policies) > 1:
                wrong.append(
                    f"RRSet with DNS name {name}, type {kind} cannot be created as other RRSets exist with the same "
                    "name and type but another routing policy"
                )
            elif policies == {"Failover"} and len({record["Failover"] for record in sets}) < len(sets):
                wrong.append(f"RRSets with DNS name {name}, type {kind}: one PRIMARY and one SECONDARY")
    return wrong


def _check_address(value: str, record: Reply) -> None:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        _bad(f"Invalid Resource Record: 'Value is not a valid IPv4 address: {value}'", record)


def _dotted(name: str) -> str:
    return name if name.endswith(".") else f"{name}."


def _labels(name: str) -> list[str]:
    return list(reversed(name.casefold().rstrip(".").split(".")))


def _key(record: Given) -> Key:
    return text(record, "Name").casefold(), text(record, "Type"), text(record, "SetIdentifier")


def _values(values: list[str]) -> list[Reply]:
    return [{"Value": value} for value in values]


def _same(record: Given) -> Reply:
    """What must be equal to be the same record."""
    return {**record, "Name": text(record, "Name").casefold()}

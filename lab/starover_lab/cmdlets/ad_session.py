"""Which domain controller the ActiveDirectory module talks to, its errors and its filters; knows no object.

The module speaks to a DC's web service as its caller. A network logon has nothing to show to another host, so it works
on a DC for that DC itself, and elsewhere or for others only with -Credential.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from starover_lab.cmdlets.machine import Machine, reading
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSCredential, PSEnum, PSObject, ScriptBlock, Unsupported, Value
from starover_lab.world.directory import DomainController
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["AD", "controller", "distinguished", "filtered", "identity_missing", "plain_name", "root"]

AD = "Microsoft.ActiveDirectory.Management."


def root(here: Machine) -> str:
    """`DC=example,DC=com`."""
    return ",".join(f"DC={part}" for part in here.world.state.dns_name.split("."))


def distinguished(name: str, path: str) -> str:
    """The distinguished name of an object in a container."""
    return f"CN={name},{path}"


def plain_name(identity: Value) -> str:
    """The name by which an identity finds its object: of a DN the first part, of an account without its `$`."""
    own = identity.get("DistinguishedName") if isinstance(identity, PSObject) else None
    text = text_of(own or identity)
    match = re.match(r"(?:CN|OU)=((?:[^,\\]|\\.)+),", text, re.IGNORECASE)
    name = match[1] if match else text
    return name.rpartition("\\")[2].rstrip("$")


def controller(call: Invocation, bound: Mapping[str, Value]) -> tuple[Machine, DomainController]:
    """The machine and the DC that answers. Raises `Terminated` when none may be or can be asked."""
    here = reading(call)
    asked = text_of(bound.get("Server"))
    local = here.server.is_dc and (not asked or same(first_label(asked), here.host) or _domain(here, asked))
    if not local and here.network_logon and not _credential(here, bound.get("Credential")):
        raise call.fail(_down(call, asked))
    try:
        named = here.host if local else asked if asked and not _domain(here, asked) else None
        return here, here.world.ad.dc(here.host, named)
    except WorldError as error:
        call.wait(error.blocked_s)
        raise call.fail(_down(call, asked)) from None


def _domain(here: Machine, name: str) -> bool:
    return same(name, here.world.state.dns_name) or same(name, here.world.state.netbios)


def _credential(here: Machine, given: Value) -> bool:
    if not isinstance(given, PSCredential):
        return False
    account = here.world.account(given.user_name)
    return account is not None and account.password == given.password.secret


def _down(call: Invocation, server: str) -> ErrorRecord:
    return call.record(
        "ActiveDirectoryServer:0",
        "ResourceUnavailable",
        "Unable to contact the server. This may be because this server does not exist, it is currently down, or it "
        "does not have the Active Directory Web Services running.",
        type_name=AD + "ADServerDownException",
        target=server or None,
    )


def identity_missing(call: Invocation, here: Machine, identity: str) -> ErrorRecord:
    """There is no such object on that DC: a terminating error, which -ErrorAction SilentlyContinue does not silence."""
    return call.record(
        f"ActiveDirectoryCmdlet:{AD}ADIdentityNotFoundException",
        "ObjectNotFound",
        f"Cannot find an object with identity: '{identity}' under: '{root(here)}'.",
        type_name=AD + "ADIdentityNotFoundException",
        target=identity,
    )


_TOKEN = re.compile(r"\s*(\(|\)|'(?:[^']|'')*'|\"[^\"]*\"|\$?[\w.-]+|\*)")


def filtered(given: Value, objects: Iterable[PSObject]) -> Iterator[PSObject]:
    """The objects that an AD filter lets through: `*`, or comparisons with -and, -or, -not and brackets.

    Raises `Unsupported` for variables and for operators that the lab does not have.
    """
    text = given.text if isinstance(given, ScriptBlock) else text_of(given)
    if text.strip() in {"*", ""}:
        yield from objects
        return
    tokens = _tokens(text)
    test, rest = _either(tokens)
    if rest:
        raise Unsupported(f"the AD filter {text}")
    yield from (one for one in objects if test(one))


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unsupported(f"the AD filter {text}")
        found.append(match[1])
        at = match.end()
    return found


_Test = Callable[[PSObject], bool]


def _either(tokens: list[str]) -> tuple[_Test, list[str]]:
    left, rest = _both(tokens)
    while rest and rest[0].casefold() == "-or":
        right, rest = _both(rest[1:])
        left = _joined(left, right, any)
    return left, rest


def _both(tokens: list[str]) -> tuple[_Test, list[str]]:
    left, rest = _one(tokens)
    while rest and rest[0].casefold() == "-and":
        right, rest = _one(rest[1:])
        left = _joined(left, right, all)
    return left, rest


def _joined(left: _Test, right: _Test, how: Callable[[Iterable[bool]], bool]) -> _Test:
    return lambda one: how((left(one), right(one)))


def _one(tokens: list[str]) -> tuple[_Test, list[str]]:
    if tokens[:1] == ["("]:
        test, rest = _either(tokens[1:])
        if rest[:1] != [")"]:
            raise Unsupported("an AD filter with an open bracket")
        return test, rest[1:]
    if tokens[:1] and tokens[0].casefold() == "-not":
        inner, rest = _one(tokens[1:])
        return (lambda one: not inner(one)), rest
    if len(tokens) < 3:
        raise Unsupported("an AD filter that breaks off")
    name, operator, value, *rest = tokens
    return _comparison(name, operator.casefold(), _literal(value)), rest


def _literal(token: str) -> str:
    if token[0] == "'":
        return token[1:-1].replace("''", "'")
    if token[0] == '"':
        return token[1:-1]
    if token.casefold() in {"$true", "$false"}:
        return token[1:].capitalize()
    if token.startswith("$"):
        raise Unsupported(f"the variable {token} in an AD filter")
    return token


def _comparison(name: str, operator: str, wanted: str) -> _Test:
    if operator not in {"-eq", "-ne", "-like", "-notlike"}:
        raise Unsupported(f"{operator} in an AD filter")

    def test(one: PSObject) -> bool:
        value = one.get(name)
        text = value.name if isinstance(value, PSEnum) else str(value) if isinstance(value, bool) else text_of(value)
        equal = fits(text, wanted) if "like" in operator else text.casefold() == wanted.casefold()
        return equal != operator.startswith("-n")

    return test

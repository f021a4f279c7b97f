"""Names of .NET types: what a type literal means and what a value's type derives from; converts nothing."""

from __future__ import annotations

import re

from starover_lab.powershell.errors import PSException, exception_is, failure, known_exceptions
from starover_lab.powershell.values import (
    ErrorRecord,
    InvocationInfo,
    Nothing,
    OrderedHashtable,
    PSEnum,
    PSHashtable,
    PSObject,
    TypeLiteral,
    Unsupported,
    Value,
    base,
    type_name,
)

__all__ = ["ENUMS", "element_type", "enum_member", "is_a", "literal", "resolve", "short_name", "spoken"]

_SMA = "System.Management.Automation"

_ACCELERATORS: dict[str, str] = {
    "array": "System.Array",
    "bool": "System.Boolean",
    "byte": "System.Byte",
    "char": "System.Char",
    "ciminstance": "Microsoft.Management.Infrastructure.CimInstance",
    "cultureinfo": "System.Globalization.CultureInfo",
    "datetime": "System.DateTime",
    "decimal": "System.Decimal",
    "double": "System.Double",
    "float": "System.Single",
    "guid": "System.Guid",
    "hashtable": "System.Collections.Hashtable",
    "int": "System.Int32",
    "int16": "System.Int16",
    "int32": "System.Int32",
    "int64": "System.Int64",
    "ipaddress": "System.Net.IPAddress",
    "long": "System.Int64",
    "object": "System.Object",
    "pscredential": f"{_SMA}.PSCredential",
    "pscustomobject": f"{_SMA}.PSObject",
    "psobject": f"{_SMA}.PSObject",
    "regex": "System.Text.RegularExpressions.Regex",
    "sbyte": "System.SByte",
    "scriptblock": f"{_SMA}.ScriptBlock",
    "securestring": "System.Security.SecureString",
    "single": "System.Single",
    "string": "System.String",
    "switch": f"{_SMA}.SwitchParameter",
    "timespan": "System.TimeSpan",
    "type": "System.Type",
    "uint16": "System.UInt16",
    "uint32": "System.UInt32",
    "uint64": "System.UInt64",
    "uri": "System.Uri",
    "version": "System.Version",
    "void": "System.Void",
    "xml": "System.Xml.XmlDocument",
}
"""Type accelerators. `[pscustomobject]` and `[psobject]` differ as casts: `resolve` keeps the written accelerator."""

_KNOWN = {
    name.casefold(): name
    for name in (
        *_ACCELERATORS.values(),
        "System.BitConverter",
        "System.Buffer",
        "System.Console",
        "System.Convert",
        "System.Collections.ArrayList",
        "System.Collections.DictionaryEntry",
        "System.Collections.ICollection",
        "System.Collections.IDictionary",
        "System.Collections.IEnumerable",
        "System.Collections.IList",
        "System.Collections.Specialized.OrderedDictionary",
        "System.Diagnostics.Stopwatch",
        "System.Enum",
        "System.Environment",
        "System.IComparable",
        "System.IFormattable",
        "System.IO.Compression.CompressionLevel",
        "System.IO.Compression.CompressionMode",
        "System.IO.Compression.GZipStream",
        "System.IO.MemoryStream",
        "System.IO.File",
        "System.IO.Path",
        "System.Exception",
        "System.Globalization.DateTimeStyles",
        "System.Globalization.NumberStyles",
        "System.Math",
        "System.MidpointRounding",
        "System.DayOfWeek",
        "System.DateTimeKind",
        "System.Net.Dns",
        "System.Random",
        "System.Security.Cryptography.SHA256",
        "System.Security.Principal.WindowsBuiltInRole",
        "System.Security.Principal.WindowsIdentity",
        "System.Security.Principal.WindowsPrincipal",
        "System.StringComparison",
        "System.StringSplitOptions",
        "System.Text.Encoding",
        "System.Text.RegularExpressions.Match",
        "System.Text.RegularExpressions.RegexOptions",
        "System.Text.StringBuilder",
        "System.Text.UTF8Encoding",
        "System.Threading.Thread",
        "System.Threading.Timeout",
        "System.ValueType",
        "System.RuntimeType",
        f"{_SMA}.PSCustomObject",
        f"{_SMA}.ActionPreference",
        f"{_SMA}.ErrorCategory",
        f"{_SMA}.ErrorRecord",
        f"{_SMA}.PSInvalidCastException",
        f"{_SMA}.InvocationInfo",
        f"{_SMA}.WildcardPattern",
    )
}

ENUMS: dict[str, dict[str, int]] = {
    "System.DayOfWeek": {
        name: number
        for number, name in enumerate(("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"))
    },
    "System.DateTimeKind": {"Unspecified": 0, "Utc": 1, "Local": 2},
    "System.MidpointRounding": {"ToEven": 0, "AwayFromZero": 1},
    "System.StringSplitOptions": {"None": 0, "RemoveEmptyEntries": 1},
    "System.StringComparison": {
        "CurrentCulture": 0,
        "CurrentCultureIgnoreCase": 1,
        "InvariantCulture": 2,
        "InvariantCultureIgnoreCase": 3,
        "Ordinal": 4,
        "OrdinalIgnoreCase": 5,
    },
    "System.IO.Compression.CompressionMode": {"Decompress": 0, "Compress": 1},
    "System.IO.Compression.CompressionLevel": {"Optimal": 0, "Fastest": 1, "NoCompression": 2},
    "System.Security.Principal.WindowsBuiltInRole": {"Administrator": 544, "User": 545, "Guest": 546},
    "System.Text.RegularExpressions.RegexOptions": {
        "None": 0,
        "IgnoreCase": 1,
        "Multiline": 2,
        "ExplicitCapture": 4,
        "Compiled": 8,
        "Singleline": 16,
        "IgnorePatternWhitespace": 32,
    },
    f"{_SMA}.ActionPreference": {
        "SilentlyContinue": 0,
        "Stop": 1,
        "Continue": 2,
        "Inquire": 3,
        "Ignore": 4,
        "Suspend": 5,
    },
    f"{_SMA}.ErrorCategory": {
        name: number
        for number, name in enumerate(
            (
                "NotSpecified",
                "OpenError",
                "CloseError",
                "DeviceError",
                "DeadlockDetected",
                "InvalidArgument",
                "InvalidData",
                "InvalidOperation",
                "InvalidResult",
                "InvalidType",
                "MetadataError",
                "NotImplemented",
                "NotInstalled",
                "ObjectNotFound",
                "OperationStopped",
                "OperationTimeout",
                "SyntaxError",
                "ParserError",
                "PermissionDenied",
                "ResourceBusy",
                "ResourceExists",
                "ResourceUnavailable",
                "ReadError",
                "WriteError",
                "FromStdErr",
                "SecurityError",
                "ProtocolError",
                "ConnectionError",
                "AuthenticationError",
                "LimitsExceeded",
                "QuotaExceeded",
                "NotEnabled",
            )
        )
    },
}
"""The enums whose members are known, with their numbers."""
_KNOWN.update({name.casefold(): name for name in ENUMS})

_GENERIC = re.compile(r"(?:System\.Collections\.Generic\.)?(List|Collection)\[(.+)\]", re.IGNORECASE)
# First parts of names under which .NET has types that are not listed here: unknown to the lab is not missing.
_NAMESPACES = frozenset(
    """system microsoft collections componentmodel data diagnostics directoryservices globalization io linq
    management net numerics reflection resources runtime security serviceprocess text threading timers web windows
    xml configuration drawing""".split()  # noqa: SIM905 - reads as the list it is
)
# Single words that PowerShell or the namespace System knows, and the lab does not.
_WORDS = frozenset(
    """
    accessviolationexception action activationcontext activator adsi adsisearcher aggregateexception alias
    allowemptycollection allowemptystring allownull appcontext appdomain appdomaininitializer appdomainmanager
    appdomainsetup appdomainunloadedexception applicationid applicationidentity argiterator argumentcompleter
    arraysegment assemblyloadeventargs assemblyloadeventhandler asynccallback attribute attributetargets
    attributeusageattribute base64formattingoptions bigint bitconverter buffer cannotunloadappdomainexception
    charenumerator cimclass cimconverter ciminstance cimsession cimtype clscompliantattribute cmdletbinding
    comparison consolecanceleventargs consolecanceleventhandler consolecolor consolekey consolekeyinfo
    consolemodifiers consolespecialkey contextboundobject contextmarshalexception contextstaticattribute converter
    crossappdomaindelegate datetimeoffset dbnull delegate dscproperty dscresource entrypointnotfoundexception
    environmentvariabletarget eventargs eventhandler executionengineexception experimentaction experimental
    experimentalfeature filestyleuriparser flagsattribute formattablestring ftpstyleuriparser func gc
    gccollectionmode gcnotificationstatus genericuriparser genericuriparseroptions gopherstyleuriparser
    httpstyleuriparser iappdomainsetup iasyncresult icloneable iconvertible icustomformatter idisposable
    iequatable iformatprovider index initialsessionstate intptr iobservable iobserver iprogress iserviceprovider
    lazy ldapstyleuriparser loaderoptimization loaderoptimizationattribute localdatastoreslot mailaddress
    marshalbyrefobject memory modulehandle mtathreadattribute multicastdelegate netpipestyleuriparser
    nettcpstyleuriparser newsstyleuriparser nonserializedattribute nullable objectsecurity obsoleteattribute
    operatingsystem ordered outputtype paramarrayattribute parameter physicaladdress platformid powershell
    predicate progress psaliasproperty psdefaultvalue pslistmodifier psmethod psmoduleinfo psnoteproperty psobject
    psprimitivedictionary pspropertyexpression psscriptmethod psscriptproperty pstypename pstypenameattribute
    psvariable psvariableproperty range readonlymemory readonlyspan ref resolveeventargs resolveeventhandler
    runspace runspacefactory runtimeargumenthandle runtimefieldhandle runtimemethodhandle runtimetypehandle semver
    serializableattribute span stathreadattribute stringcomparer stringnormalizationextensions supportswildcards
    threadstaticattribute timezone timezoneinfo tuple tupleextensions typecode typedreference uintptr
    unhandledexceptioneventargs unhandledexceptioneventhandler unityserializationholder uri uribuilder
    uricomponents uriformat urihostnametype uriidnscope urikind uriparser uripartial uritemplate validatecount
    validatedrive validatelength validatenotnull validatenotnullorempty validatepattern validaterange
    validatescript validateset validatetrusteddata validateuserdrive valuetuple weakreference wmi wmiclass
    wmisearcher workflow x500distinguishedname x509certificate
    """.split()  # noqa: SIM905
)


def resolve(name: str) -> str:
    """The full .NET name of a type literal's inside: `int` is `System.Int32`, `string[]` is `System.String[]`.

    `pscustomobject` stays `pscustomobject` and `ordered` stays `ordered`, because casts to them are of their own kind.
    Raises `Terminated` (TypeNotFound) for a name that .NET does not know, `Unsupported` when that is not sure.
    """
    name = re.sub(r"\s+", "", name)
    key = name.casefold()
    if key in ("pscustomobject", "ordered"):
        return key
    if key.endswith("[]"):
        return f"{_full(resolve(name[:-2]))}[]"
    found = _ACCELERATORS.get(key) or _KNOWN.get(key) or _KNOWN.get(f"system.{key}")
    if found is not None:
        return found
    if (generic := _GENERIC.fullmatch(name)) is not None:
        return f"System.Collections.Generic.{generic[1]}[{_full(resolve(generic[2]))}]"
    if key.endswith("exception"):
        exceptions = known_exceptions()
        if (known := exceptions.get(key) or exceptions.get(f"system.{key}")) is not None:
            return known
    first, dot, _ = key.partition(".")
    missing = first not in _NAMESPACES if dot else key not in _WORDS
    if missing and "[" not in key and not key.endswith(("attribute", "exception")):
        raise failure("TypeNotFound", "InvalidOperation", f"Unable to find type [{name}].", target=name)
    raise Unsupported(f"type [{name}]")


def literal(name: str) -> TypeLiteral:
    """A type literal as a value: `[int]`. Raises as `resolve`."""
    return TypeLiteral(_full(resolve(name)))


_SPOKEN = {
    **{full: short for short, full in reversed(_ACCELERATORS.items()) if short not in ("single", "pscustomobject")},
    "System.Int32": "int",
    "System.Int64": "long",
    "System.Single": "float",
}


def spoken(full: str) -> str:
    """A type as text: its accelerator if it has one (`int`, `string[]`), else its full name."""
    if full.endswith("[]"):
        return f"{spoken(full[:-2])}[]"
    if "[" in full or "`" in full:
        raise Unsupported("a generic type as text")
    return _SPOKEN.get(full, full)


def _full(name: str) -> str:
    return f"{_SMA}.PSObject" if name == "pscustomobject" else name


def short_name(full: str) -> str:
    """`GetType().Name`: `Int32`, `String[]`, ``List`1``."""
    if full.endswith("[]"):
        return f"{short_name(full[:-2])}[]"
    plain, bracket, _ = full.partition("[")
    return re.split(r"[.+]", plain)[-1] + ("`1" if bracket else "")


def element_type(full: str) -> str:
    """The element type of an array or generic list type; `System.Object` for ArrayList and the rest."""
    if full.endswith("[]"):
        return full[:-2]
    if full.startswith("System.Collections.Generic.") and full.endswith("]"):
        return full[full.index("[") + 1 : -1]
    return "System.Object"


def enum_member(full: str, given: str) -> PSEnum | None:
    """The member of a known enum by its name in any case, or by the unambiguous beginning of one; None: no member."""
    members = ENUMS[full]
    wanted = given.strip().casefold()
    exact = [name for name in members if name.casefold() == wanted]
    close = exact or [name for name in members if wanted and name.casefold().startswith(wanted)]
    return PSEnum(full, close[0], members[close[0]]) if len(close) == 1 else None


_VALUE_TYPES = frozenset(
    f"System.{name}"
    for name in """Boolean Byte SByte Int16 UInt16 Int32 UInt32 Int64 UInt64 Single Double Decimal Char DateTime
    TimeSpan Guid""".split()  # noqa: SIM905
)
_COMPARABLE = _VALUE_TYPES | {"System.String", "System.Version"}
_FORMATTABLE = _VALUE_TYPES - {"System.Boolean", "System.Char"}
_LISTS = frozenset({"System.Collections.IList", "System.Collections.ICollection", "System.Collections.IEnumerable"})
_DICTIONARIES = frozenset(
    {"System.Collections.IDictionary", "System.Collections.ICollection", "System.Collections.IEnumerable"}
)


WRAPPER = ("pscustomobject", f"{_SMA}.PSObject")
"""What `resolve` makes of `[pscustomobject]` and `[psobject]`: as types they are one."""


def is_a(value: Value, wanted: str) -> bool:
    """`value -is [wanted]`, for a full type name as `resolve` gives it. Raises `Unsupported` when it is not known."""
    if value is None or isinstance(value, Nothing):
        return False
    inner = base(value)
    own = type_name(inner)
    if wanted in WRAPPER:
        if isinstance(inner, PSObject):
            return True
        if isinstance(inner, PSHashtable | OrderedHashtable):
            return False
        raise Unsupported("-is [psobject]: true for what came through a pipeline, else false")
    if wanted == "System.Object" or own.casefold() == wanted.casefold():
        return True
    if isinstance(inner, PSException):
        answer = exception_is(own, wanted)
        if answer is None:
            raise Unsupported(f"-is [{wanted}] of a {own}")
        return answer
    if isinstance(inner, PSEnum):
        return wanted in ("System.Enum", "System.ValueType", "System.IComparable", "System.IFormattable")
    if own.endswith("[]"):
        if wanted == "System.Array" or wanted in _LISTS:
            return True
        if wanted.endswith("[]"):
            # PowerShell asks for the exact element type where .NET would take any reference type.
            return False
    elif own in ("System.Collections.Hashtable", "System.Collections.Specialized.OrderedDictionary"):
        if wanted in _DICTIONARIES:
            return True
    elif own == "System.Collections.ArrayList" or own.startswith("System.Collections.Generic.List"):
        if wanted in _LISTS:
            return True
    elif wanted == "System.ValueType":
        return own in _VALUE_TYPES or own == f"{_SMA}.SwitchParameter"
    elif wanted == "System.IComparable" and (own in _COMPARABLE or own.startswith("System.")):
        return own in _COMPARABLE
    elif wanted == "System.IFormattable" and own in _COMPARABLE:
        return own in _FORMATTABLE
    elif wanted == "System.Type":
        return isinstance(inner, TypeLiteral)
    elif own == "System.String" and wanted == "System.Collections.IEnumerable":
        return True
    if isinstance(inner, ErrorRecord | InvocationInfo) or wanted in _CLOSED or own in _CLOSED or own.startswith(_SMA):
        return False
    if isinstance(inner, PSObject):
        return any(name.casefold() == wanted.casefold() for name in inner.type_names)
    raise Unsupported(f"-is [{wanted}] of a {own}")


# Types that nothing else here derives from, and that derive only from what is answered above.
_CLOSED = _VALUE_TYPES | {
    "System.String",
    "System.Version",
    "System.Uri",
    "System.Array",
    "System.Enum",
    "System.Collections.Hashtable",
    "System.Collections.ArrayList",
    "System.Collections.IDictionary",
    "System.Collections.Specialized.OrderedDictionary",
    "System.Type",
    f"{_SMA}.ScriptBlock",
    f"{_SMA}.ErrorRecord",
    f"{_SMA}.PSCredential",
    f"{_SMA}.SwitchParameter",
    "System.Security.SecureString",
    "System.Exception",
    "System.Xml.XmlDocument",
    "System.Net.IPAddress",
    "System.Text.RegularExpressions.Regex",
}

"""Names of the methods of .NET's types: one that is listed but not known to the lab is refused, not missing."""

from __future__ import annotations

__all__ = ["has_method", "has_static_method"]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())


_OBJECT = _set("Equals GetHashCode GetType ToString psobject pstypenames")
_NUMBER = _OBJECT | _set(
    "CompareTo GetTypeCode ToBoolean ToByte ToChar ToDateTime ToDecimal ToDouble ToInt16 ToInt32 "
    "ToInt64 ToSByte ToSingle ToType ToUInt16 ToUInt32 ToUInt64 TryFormat"
)
_LIST = _OBJECT | _set(
    "Add AddRange Clear Clone Contains CopyTo Get GetEnumerator GetLength GetLongLength GetLowerBound "
    "GetUpperBound GetValue IndexOf Initialize Insert Item Remove RemoveAt Set SetValue Address Where ForEach "
    "BinarySearch GetRange InsertRange LastIndexOf RemoveRange Reverse SetRange Sort ToArray TrimToSize"
)
_TABLE = _OBJECT | _set(
    "Add Clear Clone Contains ContainsKey ContainsValue CopyTo GetEnumerator GetObjectData Item "
    "OnDeserialization Remove Where ForEach get_Item set_Item get_Count get_Keys get_Values"
)

_INSTANCE: dict[str, frozenset[str]] = {
    "System.String": _NUMBER
    | _set(
        "Clone Contains CopyTo EndsWith EnumerateRunes GetEnumerator GetPinnableReference "
        "IndexOf IndexOfAny Insert IsNormalized LastIndexOf LastIndexOfAny Normalize PadLeft PadRight Remove Replace "
        "Split StartsWith Substring ToCharArray ToLower ToLowerInvariant ToUpper ToUpperInvariant Trim TrimEnd "
        "TrimStart Chars get_Chars get_Length"
    ),
    "System.Boolean": _NUMBER,
    "System.Char": _NUMBER,
    "System.DateTime": _NUMBER
    | _set(
        "Add AddDays AddHours AddMilliseconds AddMinutes AddMonths AddSeconds AddTicks "
        "AddYears GetDateTimeFormats GetObjectData IsDaylightSavingTime Subtract ToBinary ToFileTime ToFileTimeUtc "
        "ToLocalTime ToLongDateString ToLongTimeString ToOADate ToShortDateString ToShortTimeString ToUniversalTime"
    ),
    "System.TimeSpan": _OBJECT | _set("Add CompareTo Divide Duration Multiply Negate Subtract TryFormat"),
    "System.Version": _OBJECT | _set("Clone CompareTo TryFormat"),
    "System.Guid": _OBJECT | _set("CompareTo ToByteArray TryFormat TryWriteBytes"),
    "System.Collections.Hashtable": _TABLE,
    "System.Collections.Specialized.OrderedDictionary": (_TABLE | _set("AsReadOnly Insert RemoveAt"))
    - _set("Clone ContainsKey ContainsValue"),
    "System.Collections.ArrayList": _LIST,
    "System.Management.Automation.PSCustomObject": _OBJECT,
    "System.Management.Automation.ScriptBlock": _OBJECT
    | _set(
        "CheckRestrictedLanguage GetNewClosure GetObjectData "
        "GetPowerShell GetSteppablePipeline Invoke InvokeReturnAsIs InvokeWithContext"
    ),
}
for _name in ("Int32", "Int64", "Double", "Decimal", "Byte", "SByte", "Int16", "UInt16", "UInt32", "UInt64", "Single"):
    _INSTANCE[f"System.{_name}"] = _NUMBER

_STATIC: dict[str, frozenset[str]] = {
    "System.Math": _set(
        "Abs Acos Acosh Asin Asinh Atan Atan2 Atanh BigMul BitDecrement BitIncrement Cbrt Ceiling Clamp "
        "CopySign Cos Cosh DivRem Exp Floor FusedMultiplyAdd IEEERemainder ILogB Log Log10 Log2 Max MaxMagnitude Min "
        "MinMagnitude Pow ReciprocalEstimate ReciprocalSqrtEstimate Round ScaleB Sign Sin SinCos Sinh Sqrt Tan Tanh "
        "Truncate Equals ReferenceEquals"
    ),
    "System.String": _set(
        "Compare CompareOrdinal Concat Copy Create Equals Format GetHashCode Intern IsInterned "
        "IsNullOrEmpty IsNullOrWhiteSpace Join new ReferenceEquals"
    ),
}


def has_method(owner: str, name: str) -> bool | None:
    """Whether a .NET type has an instance method of that name; None: the type is not listed."""
    names = _LIST if owner.endswith("[]") else _INSTANCE.get(owner)
    return None if names is None else name.lower() in names


def has_static_method(owner: str, name: str) -> bool | None:
    """The same for static methods."""
    names = _STATIC.get(owner)
    return None if names is None else name.lower() in names

"""Win32_ComputerSystem and Win32_Processor as WMI lists them on a virtual machine; knows no query.

Names and kinds are those of exports of real servers (shape-fcdb8365f4, shape-30e8d0076f); what the world does not know
is as those servers had it, with the makers that an EC2 instance names.
"""

from __future__ import annotations

from starover_lab.cmdlets.machine import Machine
from starover_lab.powershell.values import Int16, Long, PSArray, UInt16, UInt32, UInt64, Value

__all__ = ["ABOVE", "Row", "computer_system", "processor"]

ABOVE = {
    "Win32_ComputerSystem": (
        "CIM_UnitaryComputerSystem",
        "CIM_ComputerSystem",
        "CIM_System",
        "CIM_LogicalElement",
        "CIM_ManagedSystemElement",
    ),
    "Win32_Processor": ("CIM_Processor", "CIM_LogicalDevice", "CIM_LogicalElement", "CIM_ManagedSystemElement"),
}
"""The classes that a class comes of, the nearest first."""
_UNKNOWN = UInt16(3)
"""What firmware without an answer tells for its states (`Unknown`, `Safe`)."""

Row = list[tuple[str, Value]]
"""An instance: its properties in order."""


def computer_system(here: Machine) -> list[Row]:
    """The one machine."""
    server = here.server
    return [
        [
            ("AdminPasswordStatus", _UNKNOWN),
            ("AutomaticManagedPagefile", True),
            ("AutomaticResetBootOption", True),
            ("AutomaticResetCapability", True),
            ("BootOptionOnLimit", None),
            ("BootOptionOnWatchDog", None),
            ("BootROMSupported", True),
            ("BootStatus", PSArray([UInt16(0)] * 10, "System.UInt16[]")),
            ("BootupState", "Normal boot"),
            ("Caption", server.name.upper()),
            ("ChassisBootupState", _UNKNOWN),
            ("ChassisSKUNumber", None),
            ("CreationClassName", "Win32_ComputerSystem"),
            ("CurrentTimeZone", Int16(0)),
            ("DaylightInEffect", False),
            ("Description", "AT/AT COMPATIBLE"),
            ("DNSHostName", server.name),
            ("Domain", server.domain),
            ("DomainRole", UInt16(5 if server.is_dc else 3)),
            ("EnableDaylightSavingsTime", True),
            ("FrontPanelResetStatus", _UNKNOWN),
            ("HypervisorPresent", True),
            ("InfraredSupported", False),
            ("InitialLoadInfo", None),
            ("InstallDate", None),
            ("KeyboardPasswordStatus", _UNKNOWN),
            ("LastLoadInfo", None),
            ("Manufacturer", "Amazon EC2"),
            ("Model", server.instance_type),
            ("Name", server.name),
            ("NameFormat", None),
            ("NetworkServerModeEnabled", True),
            ("NumberOfLogicalProcessors", UInt32(server.cores)),
            ("NumberOfProcessors", UInt32(1)),
            ("OEMLogoBitmap", None),
            ("OEMStringArray", PSArray([], "System.String[]")),
            ("PartOfDomain", True),
            ("PauseAfterReset", Long(-1)),
            ("PCSystemType", UInt16(1)),
            ("PCSystemTypeEx", UInt16(1)),
            ("PowerManagementCapabilities", None),
            ("PowerManagementSupported", None),
            ("PowerOnPasswordStatus", _UNKNOWN),
            ("PowerState", UInt16(0)),
            ("PowerSupplyState", _UNKNOWN),
            ("PrimaryOwnerContact", None),
            ("PrimaryOwnerName", "EC2"),
            ("ResetCapability", UInt16(1)),
            ("ResetCount", Int16(-1)),
            ("ResetLimit", Int16(-1)),
            ("Roles", PSArray(["LM_Workstation", "LM_Server", "NT", "Server_NT"], "System.String[]")),
            ("Status", "OK"),
            ("SupportContactDescription", None),
            ("SystemFamily", ""),
            ("SystemSKUNumber", ""),
            ("SystemStartupDelay", None),
            ("SystemStartupOptions", None),
            ("SystemStartupSetting", None),
            ("SystemType", "x64-based PC"),
            ("ThermalState", _UNKNOWN),
            ("TotalPhysicalMemory", UInt64(server.memory_gb * 1024**3)),
            ("UserName", None),
            ("WakeUpType", UInt16(6)),
            ("Workgroup", None),
        ]
    ]


def processor(here: Machine) -> list[Row]:
    """One socket, however many cores the instance has."""
    cores = here.server.cores
    text = "Intel64 Family 6 Model 85 Stepping 7"
    return [
        [
            ("AddressWidth", UInt16(64)),
            ("Architecture", UInt16(9)),
            ("AssetTag", ""),
            ("Availability", UInt16(3)),
            ("Caption", text),
            ("Characteristics", UInt32(4)),
            ("ConfigManagerErrorCode", None),
            ("ConfigManagerUserConfig", None),
            ("CpuStatus", UInt16(1)),
            ("CreationClassName", "Win32_Processor"),
            ("CurrentClockSpeed", UInt32(2500)),
            ("CurrentVoltage", UInt16(16)),
            ("DataWidth", UInt16(64)),
            ("Description", text),
            ("DeviceID", "CPU0"),
            ("ErrorCleared", None),
            ("ErrorDescription", None),
            ("ExtClock", UInt32(100)),
            ("Family", UInt16(179)),
            ("InstallDate", None),
            ("L2CacheSize", UInt32(1024 * max(cores // 2, 1))),
            ("L2CacheSpeed", None),
            ("L3CacheSize", UInt32(36608)),
            ("L3CacheSpeed", UInt32(0)),
            ("LastErrorCode", None),
            ("Level", UInt16(6)),
            ("LoadPercentage", UInt16(2)),
            ("Manufacturer", "GenuineIntel"),
            ("MaxClockSpeed", UInt32(2500)),
            ("Name", "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz"),
            ("NumberOfCores", UInt32(max(cores // 2, 1))),
            ("NumberOfEnabledCore", UInt32(max(cores // 2, 1))),
            ("NumberOfLogicalProcessors", UInt32(cores)),
            ("OtherFamilyDescription", None),
            ("PartNumber", ""),
            ("PNPDeviceID", None),
            ("PowerManagementCapabilities", None),
            ("PowerManagementSupported", False),
            ("ProcessorId", ""),
            ("ProcessorType", UInt16(3)),
            ("Revision", UInt16(21767)),
            ("Role", "CPU"),
            ("SecondLevelAddressTranslationExtensions", False),
            ("SerialNumber", ""),
            ("SocketDesignation", "CPU 0"),
            ("Status", "OK"),
            ("StatusInfo", UInt16(3)),
            ("Stepping", None),
            ("SystemCreationClassName", "Win32_ComputerSystem"),
            ("SystemName", here.server.name.upper()),
            ("ThreadCount", UInt32(cores)),
            ("UniqueId", None),
            ("UpgradeMethod", UInt16(6)),
            ("Version", ""),
            ("VirtualizationFirmwareEnabled", False),
            ("VMMonitorModeExtensions", False),
            ("VoltageCaps", None),
        ]
    ]

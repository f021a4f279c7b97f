"""Commands that a real session has and the lab does not: calling one is refused, not answered with "not found"."""

from __future__ import annotations

import re

__all__ = ["is_alias", "is_refused"]

# Names of Windows PowerShell's own modules (Core, Utility, Management, Security, CimCmdlets and the like) by verb.
_OWN: dict[str, str] = {
    "Add": "Computer Content History Member PSSnapin Type JobTrigger",
    "Checkpoint": "Computer",
    "Clear": "Content EventLog History Host Item ItemProperty RecycleBin Variable",
    "Compare": "Object",
    "Complete": "Transaction",
    "Connect": "PSSession WSMan",
    "Convert": "Path",
    "ConvertFrom": "Csv Json SddlString SecureString String StringData",
    "ConvertTo": "Csv Html Json SecureString Xml",
    "Copy": "Item ItemProperty",
    "Debug": "Job Process Runspace",
    "Disable": "ComputerRestore JobTrigger PSBreakpoint PSRemoting PSSessionConfiguration RunspaceDebug WSManCredSSP",
    "Disconnect": "PSSession WSMan",
    "Enable": "ComputerRestore JobTrigger PSBreakpoint PSRemoting PSSessionConfiguration RunspaceDebug WSManCredSSP",
    "Enter": "PSHostProcess PSSession",
    "Exit": "PSHostProcess PSSession",
    "Export": "Alias BinaryMiLog Clixml Console Counter Csv FormatData ModuleMember PSSession",
    "ForEach": "Object",
    "Format": "Custom Hex List Table Wide",
    "Get": """Acl Alias AuthenticodeSignature ChildItem CimAssociatedInstance CimClass CimInstance CimSession
        Clipboard CmsMessage Command ComputerInfo ComputerRestorePoint Content ControlPanelItem Counter Credential
        Culture Date Event EventLog EventSubscriber ExecutionPolicy FileHash FormatData Help History Host HotFix Item
        ItemProperty ItemPropertyValue Job JobTrigger Location Member Module PfxCertificate Process PSBreakpoint
        PSCallStack PSDrive PSHostProcessInfo PSProvider PSSession PSSessionCapability PSSessionConfiguration PSSnapin
        Random Runspace RunspaceDebug ScheduledJob Service TimeZone TraceSource Transaction TypeData UICulture Unique
        Variable Verb WinEvent WmiObject WSManCredSSP WSManInstance""",
    "Group": "Object",
    "Import": "Alias BinaryMiLog Clixml Counter Csv LocalizedData Module PSSession",
    "Invoke": "CimMethod Command Expression History Item RestMethod WebRequest WmiMethod WSManAction",
    "Join": "Path",
    "Limit": "EventLog",
    "Measure": "Command Object",
    "Move": "Item ItemProperty",
    "New": """Alias CimInstance CimSession CimSessionOption Event EventLog FileCatalog Guid Item ItemProperty JobTrigger
        Module ModuleManifest Object PSDrive PSRoleCapabilityFile PSSession PSSessionConfigurationFile PSSessionOption
        PSTransportOption PSWorkflowExecutionOption PSWorkflowSession ScheduledJobOption Service TemporaryFile TimeSpan
        Variable WebServiceProxy WinEvent WSManInstance WSManSessionOption""",
    "Out": "Default File GridView Host Null Printer String",
    "Pop": "Location",
    "Protect": "CmsMessage",
    "Push": "Location",
    "Read": "Host",
    "Receive": "Job PSSession",
    "Register": """ArgumentCompleter CimIndicationEvent EngineEvent ObjectEvent PSSessionConfiguration ScheduledJob
        WmiEvent""",
    "Remove": """CimInstance CimSession Computer Event EventLog Item ItemProperty Job JobTrigger Module PSBreakpoint
        PSDrive PSSession PSSnapin TypeData Variable WmiObject WSManInstance""",
    "Rename": "Computer Item ItemProperty",
    "Reset": "ComputerMachinePassword",
    "Resolve": "Path",
    "Restart": "Computer Service",
    "Restore": "Computer",
    "Resume": "Job Service",
    "Save": "Help",
    "Select": "Object String Xml",
    "Send": "MailMessage",
    "Set": """Acl Alias AuthenticodeSignature CimInstance Clipboard Content Date ExecutionPolicy Item ItemProperty
        JobTrigger Location PSBreakpoint PSDebug PSSessionConfiguration ScheduledJob ScheduledJobOption Service
        StrictMode TimeZone TraceSource Variable WmiInstance WSManInstance WSManQuickConfig""",
    "Show": "Command ControlPanelItem EventLog",
    "Sort": "Object",
    "Split": "Path",
    "Start": "Job Process Service Sleep Transaction Transcript",
    "Stop": "Computer Job Process Service Transcript",
    "Suspend": "Job Service",
    "Tee": "Object",
    "Test": """ComputerSecureChannel Connection FileCatalog ModuleManifest NetConnection Path PSSessionConfigurationFile
        WSMan""",
    "Trace": "Command",
    "Unblock": "File",
    "Undo": "Transaction",
    "Unprotect": "CmsMessage",
    "Unregister": "Event PSSessionConfiguration ScheduledJob",
    "Update": "FormatData Help List TypeData",
    "Use": "Transaction",
    "Wait": "Debugger Event Job Process",
    "Where": "Object",
    "Write": "Debug Error EventLog Host Information Output Progress Verbose Warning",
}
_NAMES = frozenset(f"{verb}-{noun}".casefold() for verb, nouns in _OWN.items() for noun in nouns.split())
# Aliases and functions of a new session; scripts must not use them, and what they stand for is not looked up.
_ALIASES = frozenset(
    """% ? ac asnp cat cd chdir clc clear clhy cli clp cls clv cnsn compare copy cp cpi cpp curl cvpa dbp del diff dir
    dnsn ebp echo epal epcsv epsn erase etsn exsn fc fhx fl foreach ft fw gal gbp gc gci gcb gcm gcs gdr ghy gi gjb gl
    gm gmo gp gps gpv group gsn gsnp gsv gtz gu gv gwmi h history icm iex ihy ii ipal ipcsv ipmo ipsn irm ise iwmi iwr
    kill lp ls man md measure mi mount move mp mv nal ndr ni nmo npssc nsn nv ogv oh popd ps pushd pwd r rbp rcjb rcsn
    rd rdr ren ri rjb rm rmdir rmo rni rnp rp rsn rsnp rujb rv rvpa rwmi sajb sal saps sasv sbp sc scb select set shcm
    si sl sleep sls sort sp spjb spps spsv start stz sujb sv swmi tee trcm type wget where wjb write help mkdir more
    prompt tabexpansion tabexpansion2 oss pause importsystemmodules""".split()  # noqa: SIM905
)
_PROGRAM = re.compile(
    r".*\.(exe|com|cmd|bat|ps1|psm1|msc|msi|vbs|dll)|.*[\\/].*|[a-z]:.*"
    r"|(net|sc|cmd|ping|ipconfig|whoami|hostname|nslookup|reg|w32tm|shutdown|robocopy|cluster|repadmin|nltest|netsh"
    r"|powershell|pwsh|cscript|wscript|schtasks|tasklist|taskkill|netstat|systeminfo|gpupdate|dism|sfc|wevtutil|wmic"
    r"|notepad|find|findstr|xcopy|attrib|tree|timeout|openfiles|quser|query|qwinsta|setspn|certutil|bcdedit|diskpart"
    r"|fsutil|icacls|takeown|cipher|arp|route|tracert|pathping|nbtstat|expand|makecab|sort|more|help|runas)",
    re.IGNORECASE,
)


def is_alias(name: str) -> bool:
    """Whether Windows PowerShell has an alias of that name, which goes before any function."""
    return name.casefold() in _ALIASES


def is_refused(name: str) -> bool:
    """Whether a real host would find a command, program or file of that name that the lab does not have."""
    plain = name.rpartition("\\")[2].casefold()
    return plain in _NAMES or plain in _ALIASES or name.casefold() in _ALIASES or _PROGRAM.fullmatch(name) is not None

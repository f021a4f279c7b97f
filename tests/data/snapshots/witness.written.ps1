$ProgressPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'
$InformationPreference = 'SilentlyContinue'
$WarningPreference = 'Continue'
$ErrorActionPreference = 'Stop'
$ConfirmPreference = 'None'
[System.Threading.Thread]::CurrentThread.CurrentCulture = 'en-US'
[System.Threading.Thread]::CurrentThread.CurrentUICulture = 'en-US'
function ConvertTo-StaroverError {
    param($Record)
    $inner = @()
    $below = $Record.Exception.InnerException
    while ($null -ne $below -and $inner.Count -lt 5) {
        $inner += [string]$below.GetType().FullName + ': ' + [string]$below.Message
        $below = $below.InnerException
    }
    $fields = [ordered]@{
        message  = [string]$Record.Exception.Message
        fqid     = [string]$Record.FullyQualifiedErrorId
        category = [string]$Record.CategoryInfo.Category
        type     = [string]$Record.Exception.GetType().FullName
        target   = [string]$Record.TargetObject
        command  = [string]$Record.InvocationInfo.MyCommand.Name
        line     = [int]$Record.InvocationInfo.ScriptLineNumber
        hresult  = '0x{0:X8}' -f [int]$Record.Exception.HResult
        inner    = @($inner)
    }
    ConvertTo-Json -InputObject $fields -Compress -Depth 2
}
function ConvertTo-StaroverAscii {
    param($Text)
    [regex]::Replace($Text, '[^\x20-\x7e]', { param($Match) '\u{0:x4}' -f [int]$Match.Value[0] })
}
$staroverUnfit = ''
if ([string]$PSVersionTable.PSEdition -eq 'Core') { $staroverUnfit = 'wrong-edition Core' }
if ($env:COMPUTERNAME -ne 'ex3') { $staroverUnfit = 'wrong-host ' + $env:COMPUTERNAME }
$staroverNonce = '0123456789abcdef'
$staroverProvider = ''
$staroverParts = @()
$staroverReceipts = @()
$staroverWarnings = @()
$staroverClosed = $null
function Invoke-StaroverPart {
# When this server last wrote a file beside a witness directory, to see whether it can; written and utc in ISO 8601, UTC.
# Needs no Exchange session.
$path = 'C:\ProgramData\Starover\witness\state.json'
$state = $null
if (Test-Path -LiteralPath $path) { $state = Get-Content -LiteralPath $path -Raw -Encoding UTF8 | ConvertFrom-Json }
[pscustomobject]@{
    name    = [string][Environment]::MachineName
    utc     = [string][datetime]::UtcNow.ToString('o')
    file    = [string]$state.file
    written = [string]$state.written
    problem = [string]$state.problem
}
}
try {
    if ($staroverUnfit -ne '') { throw $staroverUnfit }

    $staroverFacts = @(Invoke-StaroverPart)
    if ($staroverFacts.Count -ne 1) { throw ('not-one-object: the template gave {0}' -f $staroverFacts.Count) }
    $staroverParts += '{"id":"1"' + ',"ok":true,"facts":' + (ConvertTo-Json -InputObject $staroverFacts[0] -Compress -Depth 8) + '}'
} catch {
    $staroverParts += '{"id":"1"' + ',"ok":false,"error":' + (ConvertTo-StaroverError -Record $_) + '}'
}
function Invoke-StaroverPart {
# When this server last wrote a file beside a witness directory, to see whether it can; written and utc in ISO 8601, UTC.
# Needs no Exchange session.
$path = 'C:\ProgramData\Starover\witness\state.json'
$state = $null
if (Test-Path -LiteralPath $path) { $state = Get-Content -LiteralPath $path -Raw -Encoding UTF8 | ConvertFrom-Json }
[pscustomobject]@{
    name    = [string][Environment]::MachineName
    utc     = [string][datetime]::UtcNow.ToString('o')
    file    = [string]$state.file
    written = [string]$state.written
    problem = [string]$state.problem
}
}
try {
    if ($staroverUnfit -ne '') { throw $staroverUnfit }

    $staroverFacts = @(Invoke-StaroverPart)
    if ($staroverFacts.Count -ne 1) { throw ('not-one-object: the template gave {0}' -f $staroverFacts.Count) }
    $staroverParts += '{"id":"2"' + ',"ok":true,"facts":' + (ConvertTo-Json -InputObject $staroverFacts[0] -Compress -Depth 8) + '}'
} catch {
    $staroverParts += '{"id":"2"' + ',"ok":false,"error":' + (ConvertTo-StaroverError -Record $_) + '}'
}
$staroverUser = [Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()
$staroverHead = [ordered]@{
    schema   = 1
    host     = [string]$env:COMPUTERNAME
    utc      = [string][datetime]::UtcNow.ToString('o')
    ps       = [string]$PSVersionTable.PSVersion
    elevated = [bool]$staroverUser.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    provider = [string]$staroverProvider
    warnings = @($staroverWarnings)
}
$staroverReport = (ConvertTo-Json -InputObject $staroverHead -Compress -Depth 3).TrimEnd('}') + ',"parts":[' + ($staroverParts -join ',') + '],"receipts":[' + ($staroverReceipts -join ',') + ']}'
$staroverReport = ConvertTo-StaroverAscii -Text $staroverReport
$staroverHash = [System.Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes($staroverReport))
$staroverSum = [BitConverter]::ToString($staroverHash).Replace('-', '').Substring(0, 8).ToLowerInvariant()
'@@STAROVER-BEGIN ' + $staroverNonce
$staroverReport
'@@STAROVER-END {0} {1} {2}' -f $staroverNonce, $staroverReport.Length, $staroverSum

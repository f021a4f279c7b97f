param($ExchangeCredential)
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
$staroverProvider = 'remote'
$staroverParts = @()
$staroverReceipts = @()
$staroverWarnings = @()
$staroverClosed = $null
function Import-StaroverExchange {
    param($Want)
    $missing = @($Want | Where-Object { $null -eq (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    if ($missing.Count -gt 0) {
        $module = Import-PSSession -Session $staroverSession -CommandName $missing -DisableNameChecking -AllowClobber -ErrorAction Stop -WarningAction SilentlyContinue
        Import-Module -ModuleInfo $module -Global -DisableNameChecking -WarningAction SilentlyContinue
    }
}
$staroverSession = $null
try {
    if (@(Get-Process -Name 'ExSetup*' -ErrorAction SilentlyContinue).Count -gt 0) { throw 'setup-running' }
    foreach ($staroverFound in @(Get-PSSession | Where-Object { $_.Name -like 'starover-exchange*' })) {
        if ($staroverFound.Name -eq 'starover-exchange' -and [string]$staroverFound.State -eq 'Opened') {
            $staroverSession = $staroverFound
        } else {
            Remove-PSSession -Session $staroverFound
        }
    }
    if ($null -eq $staroverSession) {
        $staroverUri = 'http://{0}/PowerShell/' -f 'EX3.example.com'
        $staroverSession = New-PSSession -Name 'starover-exchange' -ConfigurationName 'Microsoft.Exchange' -ConnectionUri $staroverUri -Authentication Kerberos -Credential $ExchangeCredential -ErrorAction Stop
    }
} catch {
    $staroverClosed = $_
}
function Invoke-StaroverPart {
# exchange: Resume-MailboxDatabaseCopy
Resume-MailboxDatabaseCopy -Identity 'O’’Brien DB\EX3' -Confirm:$false -ErrorAction Stop
}
$staroverBegin = 'C:\ProgramData\Starover\receipts\6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11.begin'
$staroverEnd = 'C:\ProgramData\Starover\receipts\6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11.end'
$staroverState = 'absent'
if (Test-Path -LiteralPath $staroverBegin) { $staroverState = 'in-progress' }
$staroverPart = $null
try {
    if ($staroverState -eq 'absent') {
        if ($staroverUnfit -ne '') { throw $staroverUnfit }
    if ($null -ne $staroverClosed) { throw $staroverClosed }
    try {
        Import-StaroverExchange -Want @('Resume-MailboxDatabaseCopy')
    } catch {
        if ($_.FullyQualifiedErrorId -notlike 'ErrorNoResultsFromRemoteEnd*') { throw $_ }
    }
    $staroverDenied = @(@('Resume-MailboxDatabaseCopy') | Where-Object { $null -eq (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    if ($staroverDenied.Count -gt 0) { throw ('rbac-missing ' + ($staroverDenied -join ',')) }
        if (-not (Test-Path -LiteralPath 'C:\ProgramData\Starover\receipts')) {
            New-Item -Path 'C:\ProgramData\Starover\receipts' -ItemType Directory -Force | Out-Null
            try {
                & icacls.exe 'C:\ProgramData\Starover' '/inheritance:r' '/grant:r' '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
            } catch {
                $staroverWarnings += 'receipts are not protected: ' + [string]$_.Exception.Message
            }
        }
        try {
            New-Item -Path $staroverBegin -ItemType File -Value '{"operation":"6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11","prev":{"status":"Healthy"}}' | Out-Null
            $staroverState = 'ran'
        } catch {
            if (-not (Test-Path -LiteralPath $staroverBegin)) { throw $_ }
            $staroverState = 'in-progress'
        }
    }
    if ($staroverState -eq 'ran') {
        try {
            Invoke-StaroverPart | Out-Null
            $staroverPart = '{"id":"6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11"' + ',"ok":true,"facts":null}'
        } catch {
            $staroverPart = '{"id":"6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11"' + ',"ok":false,"error":' + (ConvertTo-StaroverError -Record $_) + '}'
        }
        try {
            New-Item -Path $staroverEnd -ItemType File -Value (ConvertTo-StaroverAscii -Text ('{"operation":"6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11","prev":{"status":"Healthy"},"result":' + $staroverPart + '}')) | Out-Null
            Get-ChildItem -LiteralPath 'C:\ProgramData\Starover\receipts' -File | Sort-Object -Property LastWriteTimeUtc -Descending | Select-Object -Skip 1000 | Where-Object { $_.LastWriteTimeUtc -lt ([datetime]::UtcNow - [timespan]::FromSeconds(7776000)) } | ForEach-Object { Remove-Item -LiteralPath $_.FullName -Force }
        } catch {
            $staroverWarnings += 'receipt: ' + [string]$_.Exception.Message
        }
    }
} catch {
    $staroverPart = '{"id":"6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11"' + ',"ok":false,"error":' + (ConvertTo-StaroverError -Record $_) + '}'
}
if ($null -ne $staroverPart) { $staroverParts += $staroverPart }
$staroverFirst = 'null'
$staroverLast = 'null'
if ($staroverState -eq 'in-progress') {
    if (Test-Path -LiteralPath $staroverEnd) {
        $staroverState = 'ran-before'
        $staroverLast = ConvertTo-Json -InputObject ('' + (Get-Content -LiteralPath $staroverEnd -TotalCount 1)) -Compress
    }
    $staroverFirst = ConvertTo-Json -InputObject ('' + (Get-Content -LiteralPath $staroverBegin -TotalCount 1)) -Compress
}
$staroverReceipts += '{"id":"6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11"' + ',"state":"' + $staroverState + '","begin":' + $staroverFirst + ',"end":' + $staroverLast + '}'
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

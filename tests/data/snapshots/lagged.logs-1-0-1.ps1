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
if ($null -eq $staroverClosed) {
    try {
        Import-StaroverExchange -Want @('Get-MailboxDatabase')
    } catch {
        $staroverWarnings += 'import: ' + [string]$_.Exception.Message
    }
}
function Invoke-StaroverPart {
# exchange: Get-MailboxDatabase
# What this host's copy of a database has: what its file says of itself, while nothing has it open, how many logs lie beside it that
# are not to be played, and how many lie aside already.
$found = Get-MailboxDatabase -Identity 'O’’Brien DB' -ErrorAction Stop
$file = [string]$found.EdbFilePath
$folder = [string]$found.LogFolderPath
$prefix = [string]$found.LogFilePrefix
$aside = '{0}\{1}' -f $folder, 'starover 2026-11-20'
$state = ''
$high = [long]0
$printed = @(& eseutil.exe '/mh' $file 2>$null)
$code = [long]$LASTEXITCODE
if ($code -eq 0) {
    foreach ($line in $printed) {
        $text = ([string]$line).Trim()
        if ($text.StartsWith('State:')) { $state = $text.Replace('State:', '').Trim() }
        if ($text.StartsWith('Log Required:')) { $high = [long]$text.Replace('Log Required:', '').Trim().Split(' ')[0].Split('-')[1] }
    }
}
$last = '{0}{1:X8}.log' -f $prefix, $high
$later = [long]0
$replayed = ''
if ($state -eq 'Dirty Shutdown') {
$open = '{0}.log' -f $prefix
$logs = @(Get-ChildItem -LiteralPath $folder -Filter ('{0}*.log' -f $prefix) -File -Name -ErrorAction Stop | Where-Object { ($_.Length -eq 15 -and $_ -gt $last) -or $_ -eq $open })
    $later = [long]$logs.Count
    $newest = '{0}\{1}' -f $folder, $last
    if (Test-Path -LiteralPath $newest) { $replayed = [string](Get-Item -LiteralPath $newest -ErrorAction Stop).LastWriteTimeUtc.ToString('o') }
}
$kept = [long]0
if (Test-Path -LiteralPath $aside) { $kept = [long]@(Get-ChildItem -LiteralPath $aside -File -ErrorAction Stop).Count }
[pscustomobject]@{
    state    = [string]$state
    code     = [long]$code
    high     = [long]$high
    replayed = [string]$replayed
    later    = [long]$later
    aside    = [long]$kept
    folder   = [string]$aside
}
}
try {
    if ($staroverUnfit -ne '') { throw $staroverUnfit }
    if ($null -ne $staroverClosed) { throw $staroverClosed }
    try {
        Import-StaroverExchange -Want @('Get-MailboxDatabase')
    } catch {
        if ($_.FullyQualifiedErrorId -notlike 'ErrorNoResultsFromRemoteEnd*') { throw $_ }
    }
    $staroverDenied = @(@('Get-MailboxDatabase') | Where-Object { $null -eq (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    if ($staroverDenied.Count -gt 0) { throw ('rbac-missing ' + ($staroverDenied -join ',')) }
    $staroverFacts = @(Invoke-StaroverPart)
    if ($staroverFacts.Count -ne 1) { throw ('not-one-object: the template gave {0}' -f $staroverFacts.Count) }
    $staroverParts += '{"id":"1"' + ',"ok":true,"facts":' + (ConvertTo-Json -InputObject $staroverFacts[0] -Compress -Depth 8) + '}'
} catch {
    $staroverParts += '{"id":"1"' + ',"ok":false,"error":' + (ConvertTo-StaroverError -Record $_) + '}'
}
function Invoke-StaroverPart {
# exchange: Get-MailboxDatabase
# What this host's copy of a database has: what its file says of itself, while nothing has it open, how many logs lie beside it that
# are not to be played, and how many lie aside already.
$found = Get-MailboxDatabase -Identity 'O’’Brien DB' -ErrorAction Stop
$file = [string]$found.EdbFilePath
$folder = [string]$found.LogFolderPath
$prefix = [string]$found.LogFilePrefix
$aside = '{0}\{1}' -f $folder, 'starover 2026-11-20'
$state = ''
$high = [long]0
$printed = @(& eseutil.exe '/mh' $file 2>$null)
$code = [long]$LASTEXITCODE
if ($code -eq 0) {
    foreach ($line in $printed) {
        $text = ([string]$line).Trim()
        if ($text.StartsWith('State:')) { $state = $text.Replace('State:', '').Trim() }
        if ($text.StartsWith('Log Required:')) { $high = [long]$text.Replace('Log Required:', '').Trim().Split(' ')[0].Split('-')[1] }
    }
}
$last = '{0}{1:X8}.log' -f $prefix, $high
$later = [long]0
$replayed = ''
if ($state -eq 'Dirty Shutdown') {
$open = '{0}.log' -f $prefix
$logs = @(Get-ChildItem -LiteralPath $folder -Filter ('{0}*.log' -f $prefix) -File -Name -ErrorAction Stop | Where-Object { ($_.Length -eq 15 -and $_ -gt $last) -or $_ -eq $open })
    $later = [long]$logs.Count
    $newest = '{0}\{1}' -f $folder, $last
    if (Test-Path -LiteralPath $newest) { $replayed = [string](Get-Item -LiteralPath $newest -ErrorAction Stop).LastWriteTimeUtc.ToString('o') }
}
$kept = [long]0
if (Test-Path -LiteralPath $aside) { $kept = [long]@(Get-ChildItem -LiteralPath $aside -File -ErrorAction Stop).Count }
[pscustomobject]@{
    state    = [string]$state
    code     = [long]$code
    high     = [long]$high
    replayed = [string]$replayed
    later    = [long]$later
    aside    = [long]$kept
    folder   = [string]$aside
}
}
try {
    if ($staroverUnfit -ne '') { throw $staroverUnfit }
    if ($null -ne $staroverClosed) { throw $staroverClosed }
    try {
        Import-StaroverExchange -Want @('Get-MailboxDatabase')
    } catch {
        if ($_.FullyQualifiedErrorId -notlike 'ErrorNoResultsFromRemoteEnd*') { throw $_ }
    }
    $staroverDenied = @(@('Get-MailboxDatabase') | Where-Object { $null -eq (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    if ($staroverDenied.Count -gt 0) { throw ('rbac-missing ' + ($staroverDenied -join ',')) }
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

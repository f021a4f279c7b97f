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
# Has updates of this host installed by a worker that runs as SYSTEM, unless it is at work already. Needs no Exchange session.
$folder = 'C:\ProgramData\Starover\updates'
$name = 'Updates'
$orders = @{ order = '0123456789abcdef'; work = 'install'; ids = @('e74e3ef9-7239-4643-aa51-b3aee969bd17', 'd413936b-c975-4893-b714-c9c39fc34dca') }
$tasks = @(Get-ScheduledTask -TaskPath '\Starover\' -TaskName $name -ErrorAction SilentlyContinue)
if ($tasks.Count -eq 0 -or [string]$tasks[0].State -ne 'Running') {
$worker = @'
# Searches for Windows updates, or installs those it was ordered to, one by one. Runs as SYSTEM, because a network logon may
# do neither. It never restarts the host. What it is at stands in state.json beside it, with a sign of life.
param($Folder)
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$ErrorActionPreference = 'Stop'
function Save-State {
    param($State)
    $State['heartbeat'] = [string][datetime]::UtcNow.ToString('o')
    Set-Content -LiteralPath ($Folder + '\state.new') -Value (ConvertTo-Json -InputObject $State -Compress -Depth 6) -Encoding UTF8 -Force
    Move-Item -LiteralPath ($Folder + '\state.new') -Destination ($Folder + '\state.json') -Force
}
$orders = Get-Content -LiteralPath ($Folder + '\orders.json') -Raw -Encoding UTF8 | ConvertFrom-Json
$state = @{ order = [string]$orders.order; foreground = [bool]$orders.foreground; phase = 'searching'; current = ''; rows = @(); results = @(); problem = ''; heartbeat = '' }
try {
    Save-State -State $state
    $session = New-Object -ComObject 'Microsoft.Update.Session'
    $search = $session.CreateUpdateSearcher().Search('IsInstalled=0 and Type=''Software'' and IsHidden=0')
    if ([string]$orders.work -eq 'search') {
$rows = @()
foreach ($update in $search.Updates) {
    $articles = @()
    foreach ($article in $update.KBArticleIDs) { $articles += @('KB' + [string]$article) }
    $categories = @()
    foreach ($category in $update.Categories) { $categories += @([string]$category.CategoryID) }
    $rows += @([pscustomobject]@{
        id         = [string]$update.Identity.UpdateID
        revision   = [long]$update.Identity.RevisionNumber
        title      = [string]$update.Title
        articles   = @($articles)
        categories = @($categories)
        severity   = [string]$update.MsrcSeverity
        reboot     = [long]$update.InstallationBehavior.RebootBehavior
        downloaded = [bool]$update.IsDownloaded
        browseOnly = [bool]$update.BrowseOnly
        size       = [long]$update.MaxDownloadSize
    })
}
        $state['rows'] = @($rows)
    } else {
        $results = @()
        foreach ($update in $search.Updates) {
            $id = [string]$update.Identity.UpdateID
            if (@($orders.ids) -notcontains $id) { continue }
            $state['current'] = $id
            $result = @{ id = $id; code = [long]4; hresult = '0x00000000'; reboot = $false; problem = '' }
            try {
                $one = New-Object -ComObject 'Microsoft.Update.UpdateColl'
                $one.Add($update) | Out-Null
                if (-not [bool]$update.EulaAccepted) { $update.AcceptEula() }
                if (-not [bool]$update.IsDownloaded) {
                    $state['phase'] = 'downloading'
                    Save-State -State $state
                    $downloader = $session.CreateUpdateDownloader()
                    $downloader.Updates = $one
                    $downloader.Download() | Out-Null
                }
                $state['phase'] = 'installing'
                Save-State -State $state
                $installer = $session.CreateUpdateInstaller()
                $installer.Updates = $one
                $installed = $installer.Install()
                $inner = $installed.GetUpdateResult(0)
                $result['code'] = [long]$inner.ResultCode
                $result['hresult'] = '0x{0:X8}' -f [int]$inner.HResult
                $result['reboot'] = [bool]$installed.RebootRequired
            } catch {
                $result['hresult'] = '0x{0:X8}' -f [int]$_.Exception.HResult
                $result['problem'] = [string]$_.Exception.Message
            }
            $results += @($result)
            $state['results'] = @($results)
            Save-State -State $state
        }
        $state['current'] = ''
    }
    $state['phase'] = 'done'
} catch {
    $state['phase'] = 'broken'
    $state['problem'] = ('0x{0:X8}' -f [int]$_.Exception.HResult) + ' ' + [string]$_.Exception.Message
}
Save-State -State $state
'@
New-Item -Path $folder -ItemType Directory -Force -Confirm:$false | Out-Null
& icacls.exe $folder '/inheritance:r' '/grant:r' '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
if ($LASTEXITCODE -ne 0) { throw 'the folder of the worker cannot be protected, and what lies in it runs as SYSTEM' }
if (Test-Path -LiteralPath ($folder + '\state.json')) { Remove-Item -LiteralPath ($folder + '\state.json') -Force -Confirm:$false }
Set-Content -LiteralPath ($folder + '\worker.ps1') -Value $worker -Encoding UTF8 -Force -Confirm:$false
Set-Content -LiteralPath ($folder + '\orders.json') -Value (ConvertTo-Json -InputObject $orders -Compress -Depth 3) -Encoding UTF8 -Force -Confirm:$false
$action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument ('-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{0}\worker.ps1" -Folder "{0}"' -f $folder)
$system = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([timespan]::FromSeconds(14400)) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew
Register-ScheduledTask -TaskPath '\Starover\' -TaskName $name -Action $action -Principal $system -Settings $settings -Force -ErrorAction Stop | Out-Null
Start-ScheduledTask -TaskPath '\Starover\' -TaskName $name -ErrorAction Stop
}
}
$staroverBegin = 'C:\ProgramData\Starover\receipts\6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11.begin'
$staroverEnd = 'C:\ProgramData\Starover\receipts\6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11.end'
$staroverState = 'absent'
if (Test-Path -LiteralPath $staroverBegin) { $staroverState = 'in-progress' }
$staroverPart = $null
try {
    if ($staroverState -eq 'absent') {
        if ($staroverUnfit -ne '') { throw $staroverUnfit }

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

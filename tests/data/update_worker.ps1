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

# A hosted runner made ready: WinRM, an administrator of its own with a password nobody knows, the DNS role if wanted.
param([switch]$Dns)
$ErrorActionPreference = 'Stop'
Enable-PSRemoting -Force -SkipNetworkProfileCheck
$bytes = New-Object byte[] 24
[Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($bytes)
$password = [Convert]::ToBase64String($bytes) + 'aA1!'
$secure = ConvertTo-SecureString -String $password -AsPlainText -Force
New-LocalUser -Name 'starover' -Password $secure | Out-Null
Add-LocalGroupMember -SID 'S-1-5-32-544' -Member 'starover'
# A local account over the network is no administrator otherwise.
New-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System' -Name 'LocalAccountTokenFilterPolicy' -Value 1 -PropertyType DWord -Force | Out-Null
Write-Output "::add-mask::$password"
"STAROVER_USER=$env:COMPUTERNAME\starover" | Out-File -FilePath $env:GITHUB_ENV -Append -Encoding utf8
"STAROVER_PASSWORD=$password" | Out-File -FilePath $env:GITHUB_ENV -Append -Encoding utf8
if ($Dns) {
    Install-WindowsFeature -Name 'DNS' -IncludeManagementTools | Out-Null
    Add-DnsServerPrimaryZone -Name 'starover.test' -ZoneFile 'starover.test.dns'
    Add-DnsServerResourceRecordA -ZoneName 'starover.test' -Name 'balancer' -IPv4Address '192.0.2.10'
}

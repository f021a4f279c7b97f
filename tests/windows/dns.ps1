# Writes and reads an alias as the templates of ps_templates/dns do, against the role of this machine. The zone is a file:
# a runner is no domain controller, so what Active Directory replicates stays untried.
$ErrorActionPreference = 'Stop'
Add-DnsServerResourceRecordCName -ZoneName 'starover.test' -Name 'mail' -HostNameAlias 'balancer.starover.test.' -TimeToLive ([timespan]::FromSeconds(300))
$records = @(Get-DnsServerResourceRecord -ZoneName 'starover.test' -Name 'mail' -RRType 'CName')
if ($records.Count -ne 1) { throw "one alias was wanted, there are $($records.Count)" }
if ([string]$records[0].RecordData.HostNameAlias -ne 'balancer.starover.test.') { throw [string]$records[0].RecordData.HostNameAlias }
$answers = @(Resolve-DnsName -Name 'mail.starover.test' -Type A -Server '127.0.0.1' -DnsOnly)
$zone = Get-DnsServerZone -Name 'starover.test'
@{
    record = $records[0] | Select-Object -Property HostName, RecordType, TimeToLive
    zone   = $zone | Select-Object -Property ZoneName, ZoneType, IsDsIntegrated, IsReverseLookupZone
    answer = @($answers | ForEach-Object { [string]$_.Name + ' ' + [string]$_.QueryType })
} | ConvertTo-Json -Depth 4 | Set-Content -LiteralPath 'dns.json' -Encoding UTF8
Get-Content -LiteralPath 'dns.json'

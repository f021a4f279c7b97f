$staroverText = @(Invoke-StaroverScript @staroverGiven) -join "`n"
$staroverBytes = [Text.Encoding]::UTF8.GetBytes($staroverText)
$staroverStore = New-Object -TypeName System.IO.MemoryStream
$staroverZip = New-Object -TypeName System.IO.Compression.GZipStream -ArgumentList $staroverStore, ([System.IO.Compression.CompressionMode]::Compress)
$staroverZip.Write($staroverBytes, 0, $staroverBytes.Length)
$staroverZip.Close()
$staroverPacked = [Convert]::ToBase64String($staroverStore.ToArray())
'@@STAROVER-PACKED ' + $staroverPacked.Length
$staroverAt = 0
while ($staroverPacked.Length - $staroverAt -gt 76) {
    $staroverPacked.Substring($staroverAt, 76)
    $staroverAt += 76
}
$staroverPacked.Substring($staroverAt)
'@@STAROVER-UNPACK'
exit 0

# Every script as it is sent, through the parser of the machine this runs on. Exit 1 names what it refuses.
param([Parameter(Mandatory = $true)][string]$Folder)
$ErrorActionPreference = 'Stop'
"$($PSVersionTable.PSEdition) $($PSVersionTable.PSVersion)"
$files = @(Get-ChildItem -LiteralPath $Folder -Filter '*.ps1')
if ($files.Count -eq 0) { throw "there is no script in $Folder" }
$wrong = 0
foreach ($file in $files) {
    $tokens = $null
    $errors = $null
    [void][System.Management.Automation.Language.Parser]::ParseFile($file.FullName, [ref]$tokens, [ref]$errors)
    foreach ($one in @($errors)) {
        $wrong++
        '{0}:{1}: {2}: {3}' -f $file.Name, $one.Extent.StartLineNumber, $one.ErrorId, $one.Message
    }
}
"$($files.Count) scripts, $wrong errors"
if ($wrong -gt 0) { exit 1 }

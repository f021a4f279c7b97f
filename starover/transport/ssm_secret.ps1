function Get-StaroverCredential {
    param($Kind, $Name)
    if ($Kind -eq 'ssm') {
        $found = (Get-SSMParameterValue -Name $Name -WithDecryption $true -ErrorAction Stop).Parameters[0].Value
    } else {
        $found = (Get-SECSecretValue -SecretId $Name -ErrorAction Stop).SecretString
    }
    $told = ConvertFrom-Json -InputObject $found
    $word = ConvertTo-SecureString -String ([string]$told.password) -AsPlainText -Force
    New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList ([string]$told.username), $word
}

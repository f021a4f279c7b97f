function Get-StaroverCredential {
    param($Kind, $Name)
    $what = 'credential-unread ' + $Kind + ':' + $Name + ': '
    try {
        if ($Kind -eq 'ssm') {
            $held = @((Get-SSMParameterValue -Name $Name -WithDecryption $true -ErrorAction Stop).Parameters)
            if ($held.Count -eq 0) { throw 'there is no such parameter' }
            $found = [string]$held[0].Value
        } else {
            $found = [string](Get-SECSecretValue -SecretId $Name -ErrorAction Stop).SecretString
        }
    } catch {
        throw ($what + [string]$_.Exception.Message)
    }
    $user = ''
    $word = ''
    try {
        $told = ConvertFrom-Json -InputObject $found -ErrorAction Stop
        $user = [string]$told.username
        if ($user -eq '') { $user = [string]$told.user }
        $word = [string]$told.password
    } catch {
        $lines = @($found -split '\r?\n')
        if ($lines.Count -gt 1) {
            $user = [string]$lines[0].Trim()
            $word = [string]$lines[1]
        }
    }
    if ($user -eq '' -or $word -eq '') { throw ($what + 'it holds no user and password') }
    $locked = ConvertTo-SecureString -String $word -AsPlainText -Force
    New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList $user, $locked
}

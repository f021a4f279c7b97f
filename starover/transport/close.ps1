Get-PSSession | Where-Object { $_.Name -eq 'starover-exchange' } | Remove-PSSession

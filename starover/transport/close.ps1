Get-PSSession | Where-Object { $_.Name -like 'starover-exchange*' } | Remove-PSSession

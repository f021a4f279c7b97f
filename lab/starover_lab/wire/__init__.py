"""The WinRM server: HTTP, authentication, SOAP, shells, PSRP; knows no Exchange and no world, only `endpoint`."""

"""AWS's API over the simulated estate: boto3's operation names in, its reply shapes out; knows no wire."""

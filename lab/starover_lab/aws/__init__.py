"""The lab's AWS on one loopback port: boto3's own HTTP in and out; what it does is decided in `starover_lab.cloud`."""

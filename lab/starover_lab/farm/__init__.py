"""The lab's Zevenet balancer: its farms, and the few calls of its API that the catalogue needs."""

"""starover's twin: Windows, Exchange, the cluster, AD and DNS on loopback, with real wires and simulated time."""

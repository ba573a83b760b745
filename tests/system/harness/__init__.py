"""What the system tests and the demo stand on: processes, certificates, stores, the proxy, clients."""

"""What the drills are made of: a proxy that injects faults, a fleet of clients, the accounts."""

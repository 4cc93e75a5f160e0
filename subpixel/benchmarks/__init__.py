"""What anyone can run to check our numbers: quality against the published ones, speed against named alternatives."""

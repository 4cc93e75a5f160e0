"""Many images: what is to be done, found, done in parallel here, or by workers through a durable queue."""

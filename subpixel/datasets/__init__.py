"""Images for training: packed once, then read as random crops."""

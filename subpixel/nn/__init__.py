"""torch pieces that several architectures share."""

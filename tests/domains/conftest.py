"""What the tests of all formats share."""

from doubled import doubled, swift

__all__ = ["doubled", "swift"]

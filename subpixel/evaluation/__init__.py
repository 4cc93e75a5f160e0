"""Images in, numbers out, with how they were measured."""

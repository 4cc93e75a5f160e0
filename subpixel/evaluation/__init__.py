"""Pictures in, numbers out, with how they were measured."""

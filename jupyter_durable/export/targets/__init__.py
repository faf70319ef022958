"""What an export can be written for."""

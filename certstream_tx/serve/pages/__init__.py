"""What people and programs read of the server, beside the streams."""

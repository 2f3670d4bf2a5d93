"""One writer for each client: from shared chunks to its socket."""

"""What goes over the wire: one JSON document per entry and stream."""

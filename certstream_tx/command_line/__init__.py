"""``certstream-tx``: what an operator needs around the server, which ``twistd certstream`` runs."""

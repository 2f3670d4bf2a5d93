"""Listening, and what it takes: endpoints, certificates, descriptors."""

"""Manifests: the file list of one version, in segments that versions share."""

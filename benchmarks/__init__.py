"""Speeds as ratios; see README.md. Part of the source tree, not of the installed package."""

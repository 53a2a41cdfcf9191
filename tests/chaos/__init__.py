"""Faults: kill -9, full disks, damaged files, noise on the wire."""

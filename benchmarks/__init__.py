"""What `dbrt bench` runs: networks and post-processing timed on this machine."""

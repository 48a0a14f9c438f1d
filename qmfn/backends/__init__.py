"""A plan written down for a target: hls4ml projects, and the files for boards around them."""

"""From files to pixels: finding, decoding, preprocessing, and the memory-mapped cache of the result."""

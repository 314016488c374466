"""A rate-coded spiking network made from the float network: a baseline off the Akida path."""

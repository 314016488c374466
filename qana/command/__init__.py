"""Between the command line and `qana.run`: compose, check, launch. Hydra is imported here and there only."""

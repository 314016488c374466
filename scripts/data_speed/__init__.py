"""The parts of scripts/bench_data.py."""

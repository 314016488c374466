"""Tracked runs side by side: groups of seeds, paired tests, the ledger of claims. Plain data, no MLflow."""

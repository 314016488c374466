"""What a conversion has to show before it counts: nothing left out, nothing changed, nothing out of range."""

"""What a run keeps of itself in OUTPUT, so that it can be continued."""

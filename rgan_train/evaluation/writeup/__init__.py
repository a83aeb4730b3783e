"""What a paper needs to say about an evaluation: methods, IBSI statement, checklists."""

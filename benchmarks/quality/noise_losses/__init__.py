"""What losses do where the target's noise is not that of the source."""

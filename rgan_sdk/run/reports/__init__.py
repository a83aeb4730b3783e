"""What a report holds, and several reports as one."""

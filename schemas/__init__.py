"""What two rooms must agree on; pure, imports no sibling."""

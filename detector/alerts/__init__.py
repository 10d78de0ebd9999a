"""Tell: events become messages, and messages reach those who listen."""

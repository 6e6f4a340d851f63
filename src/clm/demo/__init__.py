"""`clm demo`: the whole story on a real language model, with demo data that describes no real shop or person."""

"""What every stage stands on: database session, events, ids, hashes, files, processes. No torch."""

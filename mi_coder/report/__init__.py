"""One self-contained page: use of codes, counselors over time, order in chats, quality of the tagger, outcomes."""

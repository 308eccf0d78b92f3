"""Speed, memory, kills and simulated studies, run by hand, and what the tests run of them on a small scale."""

"""`onomast serve`: taggers behind HTTP, with a bounded queue and one worker thread for each core."""

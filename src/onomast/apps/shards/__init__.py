"""Many files through one tagger: tables and lines of text, each file written exactly once."""

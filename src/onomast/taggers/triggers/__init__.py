"""The Trigger Matching Network (Lin et al. 2020): an encoder that asks which training trigger a sentence is like."""

"""The linear tagger: a CRF on feature strings, trained by CRFsuite."""

"""RAFT cycles: generate, verify, select, train (Dong et al. 2023, arXiv 2304.06767)."""

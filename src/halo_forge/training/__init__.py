"""Moving a policy's weights towards rows of tokens: one path for SFT and for RAFT."""

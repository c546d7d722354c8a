"""What a run will take, from the rates of one that was measured, on this machine or on many."""

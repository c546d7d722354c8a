"""The whole pipeline on a tiny model made from random weights, with two controls beside it."""

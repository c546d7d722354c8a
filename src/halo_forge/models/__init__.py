"""Finding, loading, describing and saving models; with `generation` and `training` the only users of torch."""

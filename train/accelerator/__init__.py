"""Augmentation inside the training step, on whatever device the step runs.

`pictures` holds frames and label maps as uint8, made once; `draws` draws what happens to each crop
(numpy, on the host: batch k depends on the configuration and on k alone); `warp`, `labels` and
`colours` do it with keras.ops; `layer` joins them. The parameters are those of `dbrt.train.augment`
with one difference: label maps can be warped along under similarity maps only, so `stretch` belongs
to the tilted crops here, and those leave out what the maps no longer say (see `labels`).
"""

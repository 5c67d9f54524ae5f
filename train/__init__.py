"""dbrt.train makes the network: targets, losses, augmentation, trainer and export.

Nothing that runs a model imports this package. Modules that worker processes load (`targets`,
`augment`, `loader`) import numpy and OpenCV only; keras and TensorFlow load where they are used.
"""

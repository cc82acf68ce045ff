"""JAX with optax: loops of the user's own, around Flax NNX, Flax linen or any tree of parameters.

`watching` is what users call, once an epoch. `transformations` reads what an optimizer of optax is made of,
`optimizer_values` what it holds now, `layers` the model. Nothing is done at a step, and nothing waits for the device
but the end of an epoch.
"""

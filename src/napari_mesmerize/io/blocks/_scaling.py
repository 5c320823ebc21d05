"""A compiled loop that scales stored values; takes a while to import."""

from napari_mesmerize.compute.jit import compiled_exact


@compiled_exact
def scale_into(stored, scale, offset, out):  # type: ignore[no-untyped-def]
    """Set ``out`` to ``scale * stored + offset``, computed in the type of ``scale``.

    Parameters
    ----------
    stored : numpy.ndarray
        Shape (n,), integers.
    scale, offset : numpy.floating
        Of the same type.
    out : numpy.ndarray
        Shape (n,), float32.
    """
    kind = type(scale)
    for i in range(len(stored)):
        out[i] = kind(stored[i]) * scale + offset

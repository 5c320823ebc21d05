"""Print the OpenGL version that napari's canvas gets; run in a process of its own."""

import sys


def main() -> int:
    """Open a hidden canvas, print its OpenGL version and renderer."""
    import qtpy
    from vispy import app, gloo
    from vispy.gloo import gl

    app.use_app(qtpy.API_NAME.lower())
    canvas = app.Canvas(show=False)
    gloo.set_clear_color("black")
    canvas.set_current()
    version = gl.glGetParameter(gl.GL_VERSION)
    renderer = gl.glGetParameter(gl.GL_RENDERER)
    print(f"{version}, {renderer}")  # noqa: T201 - the answer to the parent process
    canvas.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

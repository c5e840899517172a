"""The version of this client; `hello` tells it to the sidecar."""

__version__ = "0.1.0"

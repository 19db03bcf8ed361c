"""`wavefront_flask_sdk`."""

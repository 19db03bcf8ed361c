"""`signalfx.generated_protocol_buffers`."""

"""The sender core: what the client of every remote backend is made of."""

from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.bounded_buffer import BoundedBuffer, KindCounts
from wf_instrument.sender.transport import HttpTransport

__all__ = ["BatchSender", "BoundedBuffer", "HttpTransport", "KindCounts"]

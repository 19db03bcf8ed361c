"""The sender core: what the client of every remote backend is made of."""

from wf_instrument.sender.batch import Batch
from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.counts import KindCounts
from wf_instrument.sender.http_client import HttpAnswer, HttpClient, NoAnswerError
from wf_instrument.sender.limits import SenderLimits
from wf_instrument.sender.spool import Spool, SpoolStatus
from wf_instrument.sender.transport import HttpTransport

__all__ = [
    "Batch",
    "BatchSender",
    "HttpAnswer",
    "HttpClient",
    "HttpTransport",
    "KindCounts",
    "NoAnswerError",
    "SenderLimits",
    "Spool",
    "SpoolStatus",
]

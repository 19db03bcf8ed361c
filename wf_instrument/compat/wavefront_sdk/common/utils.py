"""`wavefront_sdk.common.utils`."""

from wf_instrument.backends.wavefront.atomic_counter import AtomicCounter
from wf_instrument.backends.wavefront.event_lines import event_to_json, event_to_line_data
from wf_instrument.backends.wavefront.event_rules import validate_annotations, validate_tags
from wf_instrument.backends.wavefront.hashable_dict import HashableDict
from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.payload import chunks, gzip_compress
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import (
    is_blank,
    sanitize,
    sanitize_internal,
    sanitize_value,
    sanitize_without_quotes,
)
from wf_instrument.backends.wavefront.version_value import (
    get_sem_ver,
    get_sem_ver_value,
    get_version,
)

__all__ = [
    "AtomicCounter",
    "HashableDict",
    "chunks",
    "event_to_json",
    "event_to_line_data",
    "get_sem_ver",
    "get_sem_ver_value",
    "get_version",
    "gzip_compress",
    "histogram_to_line_data",
    "is_blank",
    "metric_to_line_data",
    "sanitize",
    "sanitize_internal",
    "sanitize_value",
    "sanitize_without_quotes",
    "span_log_to_line_data",
    "tracing_span_to_line_data",
    "validate_annotations",
    "validate_tags",
]

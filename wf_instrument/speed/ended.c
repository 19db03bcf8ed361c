/* What a span keeps of its request after the end: a few facts in place of the whole record, whose
 * memory the next request gets while it is still in the processor's cache.
 */
#include "speed.h"

void keep_facts(Span *span, Record *record, PyObject *const url[4])
{
    put(&span->kind, (PyObject *)Py_TYPE(record));
    put(&span->recorder, record->recorder);
    put(&span->method, record->method);
    put(&span->handle, record->handle);
    put(&span->scheme, url[0]);
    put(&span->host, url[1]);
    put(&span->root, url[2]);
    put(&span->path, url[3]);
    span->status = record->status;
    span->queued_ns = record->queued_ns;
    put(&span->tag_source, NULL);
}

/* Make the record of an ended request anew, as far as it is asked for. */
static PyObject *record_again(Span *span)
{
    Record *record = new_record((PyTypeObject *)span->kind);
    if (record == NULL)
        return NULL;
    put(&record->recorder, span->recorder);
    put(&record->method, span->method);
    put(&record->handle, span->handle);
    record->status = span->status;
    record->queued_ns = span->queued_ns;
    record->started_ns = span->start_ns;
    record->is_finished = 1;
    PyObject *parts;
    if (span->kind == py_asgi_request) {
        put(&record->scheme, span->scheme);
        put(&record->root, span->root);
        put(&record->path, span->path);
        parts = Py_BuildValue("((yO))", "host", span->host);
        put(&record->asked_headers, parts);
    } else {
        parts = PyTuple_Pack(4, span->scheme, span->host, span->root, span->path);
        put(&record->url_parts, parts);
    }
    if (parts == NULL)
        Py_CLEAR(record);
    Py_XDECREF(parts);
    return (PyObject *)record;
}

static PyObject *get_tag_source(PyObject *self, void *unused)
{
    Span *span = (Span *)self;
    if (span->tag_source == NULL && span->kind != NULL)
        return record_again(span);
    PyObject *source = span->tag_source == NULL ? Py_None : span->tag_source;
    Py_INCREF(source);
    return source;
}

static int set_tag_source(PyObject *self, PyObject *source, void *unused)
{
    put(&((Span *)self)->tag_source, source);
    put(&((Span *)self)->kind, NULL);
    return 0;
}

static PyObject *get_trace_id(PyObject *self, void *unused)
{
    Span *span = (Span *)self;
    unsigned char bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(span->trace_low >> (8 * i));
        bytes[8 + i] = (unsigned char)(span->trace_high >> (8 * i));
    }
    return _PyLong_FromByteArray(bytes, sizeof(bytes), 1, 0);
}

static int set_trace_id(PyObject *self, PyObject *value, void *unused)
{
    Span *span = (Span *)self;
    if (value == NULL || !PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a trace id should be a whole number");
        return -1;
    }
    PyObject *upper = PyNumber_Rshift(value, n_64);
    unsigned long long high = upper == NULL ? 0 : PyLong_AsUnsignedLongLong(upper);
    Py_XDECREF(upper);
    if (PyErr_Occurred())
        return -1;
    span->trace_high = high;
    span->trace_low = PyLong_AsUnsignedLongLongMask(value);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *get_span_id(PyObject *self, void *unused)
{
    return PyLong_FromUnsignedLongLong(((Span *)self)->span_id);
}

static int set_span_id(PyObject *self, PyObject *value, void *unused)
{
    unsigned long long id = value == NULL ? 0 : PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred())
        return -1;
    ((Span *)self)->span_id = id;
    return 0;
}

PyGetSetDef span_attributes[] = {
    {"tag_source", get_tag_source, set_tag_source, NULL, NULL},
    {"trace_id_int", get_trace_id, set_trace_id, NULL, NULL},
    {"span_id_int", get_span_id, set_span_id, NULL, NULL},
    {NULL},
};

/* The states: what hot objects keep, as fields of C, so that neither reading nor writing one makes
 * an object. Classes of Python inherit them; their twins are in states.py.
 */
#include "speed.h"

#define OBJECT(type, name, field) {name, T_OBJECT, offsetof(type, field), 0, NULL}
/* Missing until it is set, as an attribute of Python. */
#define OWN(type, name, field) {name, T_OBJECT_EX, offsetof(type, field), 0, NULL}
#define NUMBER(type, name, field) {name, T_LONGLONG, offsetof(type, field), 0, NULL}
#define FLAG(type, name, field) {name, T_BOOL, offsetof(type, field), 0, NULL}

/* How many objects a state holds: from its first field to the first that is none. */
#define OBJECTS(type, first, next)                                                             \
    ((offsetof(type, next) - offsetof(type, first)) / sizeof(PyObject *))

PyTypeObject *record_class, *recorder_class, *handle_class, *driver_class, *buffer_class;

int is_also(PyObject *object, PyTypeObject *state, PyTypeObject **seen)
{
    PyTypeObject *type = Py_TYPE(object);
    if (!PyType_IsSubtype(type, state))
        return 0;
    put((PyObject **)seen, (PyObject *)type);
    return 1;
}

static int visit_objects(PyObject *self, size_t count, visitproc visit, void *arg)
{
    PyObject **objects = (PyObject **)((char *)self + sizeof(PyObject));
    for (size_t i = 0; i < count; i++)
        Py_VISIT(objects[i]);
    return 0;
}

static int clear_objects(PyObject *self, size_t count)
{
    PyObject **objects = (PyObject **)((char *)self + sizeof(PyObject));
    for (size_t i = 0; i < count; i++) {
        if (objects[i] != NULL)
            Py_CLEAR(objects[i]);
    }
    return 0;
}

PyObject *no_pairs;

Record *new_record(PyTypeObject *type)
{
    Record *self = (Record *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->queued_ns = ABSENT;
        put(&self->request_header_tags, no_pairs);
        put(&self->response_header_tags, no_pairs);
        put(&self->mounts, no_pairs);
        put(&self->response_headers, no_pairs);
    }
    return self;
}

static PyObject *make_record(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return (PyObject *)new_record(type);
}

static PyObject *make_span(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Span *self = (Span *)type->tp_alloc(type, 0);
    if (self != NULL) {
        put(&self->parents, no_pairs);
        put(&self->follows, no_pairs);
        self->tracestate = PyUnicode_FromStringAndSize(NULL, 0);
    }
    return (PyObject *)self;
}

static PyObject *make_driver(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Driver *self = (Driver *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->is_on = self->traces_all = 1;
    return (PyObject *)self;
}

static PyObject *make_state(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return type->tp_alloc(type, 0);
}

/* As `vars(record).setdefault` with the twin: of two threads, both get what was first. */
static PyObject *settle(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "settle() takes a name and a value");
        return NULL;
    }
    PyObject *known = PyObject_GetAttr(self, args[0]);
    if (known == NULL || known != Py_None)
        return known;
    Py_DECREF(known);
    if (PyObject_SetAttr(self, args[0], args[1]) < 0)
        return NULL;
    Py_INCREF(args[1]);
    return args[1];
}

static PyMemberDef record_members[] = {
    OBJECT(Record, "recorder", recorder),
    OBJECT(Record, "method", method),
    OBJECT(Record, "handle", handle),
    OBJECT(Record, "span", span),
    OBJECT(Record, "outcome", outcome),
    OBJECT(Record, "error", error),
    OBJECT(Record, "cell", cell),
    OBJECT(Record, "url_parts", url_parts),
    OBJECT(Record, "dimensions", dimensions),
    OBJECT(Record, "thread_cpu_ns", thread_cpu_ns),
    OBJECT(Record, "request_header_tags", request_header_tags),
    OBJECT(Record, "response_header_tags", response_header_tags),
    OBJECT(Record, "environ", environ),
    OBJECT(Record, "headers", headers),
    OBJECT(Record, "driver", driver),
    OBJECT(Record, "server_start", server_start),
    OBJECT(Record, "_server_write", server_write),
    OBJECT(Record, "_body", body),
    OBJECT(Record, "scope", scope),
    OBJECT(Record, "_receive", receive),
    OBJECT(Record, "_send", send),
    OBJECT(Record, "_path", path),
    OBJECT(Record, "_root", root),
    OBJECT(Record, "_asked_headers", asked_headers),
    OBJECT(Record, "_query", query),
    OBJECT(Record, "_scheme", scheme),
    OBJECT(Record, "mounts", mounts),
    OBJECT(Record, "served", served),
    OBJECT(Record, "thread_marks", thread_marks),
    OBJECT(Record, "_response_headers", response_headers),
    OBJECT(Record, "known_target", known_target),
    NUMBER(Record, "status", status),
    NUMBER(Record, "response_bytes", response_bytes),
    NUMBER(Record, "request_bytes", request_bytes),
    NUMBER(Record, "extra_cpu_ns", extra_cpu_ns),
    NUMBER(Record, "queued_ns", queued_ns),
    NUMBER(Record, "started_ns", started_ns),
    NUMBER(Record, "started_mono_ns", started_mono_ns),
    NUMBER(Record, "started_cpu_ns", started_cpu_ns),
    NUMBER(Record, "first_byte_ns", first_byte_ns),
    NUMBER(Record, "ended_mono_ns", ended_mono_ns),
    NUMBER(Record, "step_ns", step_ns),
    NUMBER(Record, "step_cpu_ns", step_cpu_ns),
    NUMBER(Record, "longest_step_ns", longest_step_ns),
    NUMBER(Record, "cpu_ns", cpu_ns),
    {"thread_id", T_ULONGLONG, offsetof(Record, thread_id), 0, NULL},
    FLAG(Record, "is_finished", is_finished),
    FLAG(Record, "is_left_out", is_left_out),
    FLAG(Record, "is_bridged", is_bridged),
    FLAG(Record, "is_stepping", is_stepping),
    FLAG(Record, "_has_left", has_left),
    {NULL},
};

static PyMethodDef record_methods[] = {
    {"settle", (PyCFunction)(void (*)(void))settle, METH_FASTCALL, NULL},
    {"wsgi_start_response", (PyCFunction)(void (*)(void))wsgi_start_response,
     METH_FASTCALL | METH_KEYWORDS, NULL},
    {"wsgi_iter", wsgi_iter, METH_NOARGS, NULL},
    {"wsgi_close", wsgi_close, METH_NOARGS, NULL},
    {"wsgi_finish", wsgi_finish, METH_NOARGS, NULL},
    {"asgi_send", asgi_send, METH_O, NULL},
    {"asgi_finish", asgi_finish, METH_NOARGS, NULL},
    {NULL},
};

static PyMemberDef span_members[] = {
    OBJECT(Span, "_tracer", tracer),
    OBJECT(Span, "operation_name", operation_name),
    OBJECT(Span, "decision", decision),
    OBJECT(Span, "request", request),
    OBJECT(Span, "parents", parents),
    OBJECT(Span, "follows", follows),
    OBJECT(Span, "_tags", tags),
    OBJECT(Span, "_logs", logs),
    OBJECT(Span, "_baggage", baggage),
    OBJECT(Span, "_tracestate", tracestate),
    NUMBER(Span, "start_ns", start_ns),
    NUMBER(Span, "duration_ns", duration_ns),
    NUMBER(Span, "_started_mono_ns", started_mono_ns),
    FLAG(Span, "is_finished", is_finished),
    FLAG(Span, "is_forced", is_forced),
    {NULL},
};

static PyMethodDef span_methods[] = {
    {"span_finish_after", span_finish_after, METH_O, NULL},
    {NULL},
};

static PyMemberDef recorder_members[] = {
    OBJECT(Recorder, "pipeline", pipeline),
    OBJECT(Recorder, "tracer", tracer),
    OBJECT(Recorder, "extras", extras),
    OBJECT(Recorder, "excluded", excluded),
    OBJECT(Recorder, "live", live),
    OBJECT(Recorder, "noted_keys", noted_keys),
    OBJECT(Recorder, "noted_headers", noted_headers),
    OBJECT(Recorder, "_handles", handles),
    OBJECT(Recorder, "cpu_clock", cpu_clock),
    NUMBER(Recorder, "fold_after", fold_after),
    NUMBER(Recorder, "loop_block_ns", loop_block_ns),
    FLAG(Recorder, "metrics", metrics),
    FLAG(Recorder, "is_reporting", is_reporting),
    FLAG(Recorder, "keeps_query", keeps_query),
    {NULL},
};

static PyMemberDef tracer_members[] = {
    OWN(Tracer, "take", take),
    OWN(Tracer, "red_metrics", red_metrics),
    FLAG(Tracer, "keeps_all", keeps_all),
    {NULL},
};

static PyMemberDef buffer_members[] = {
    OWN(Buffer, "_spans", spans),
    NUMBER(Buffer, "_max_spans", max_spans),
    {NULL},
};

static PyMemberDef handle_members[] = {
    OBJECT(Handle, "cells", cells),
    OBJECT(Handle, "route", route),
    OBJECT(Handle, "func", func),
    OBJECT(Handle, "quiet_paths", quiet_paths),
    FLAG(Handle, "counts", counts),
    FLAG(Handle, "decides_late", decides_late),
    {NULL},
};

static PyMemberDef cell_members[] = {
    OBJECT(Cell, "handle", handle),
    OBJECT(Cell, "samples", samples),
    OBJECT(Cell, "queued_ns", queued_ns),
    OBJECT(Cell, "exemplars", exemplars),
    FLAG(Cell, "is_listed", is_listed),
    {NULL},
};

static PyMemberDef driver_members[] = {
    OBJECT(Driver, "app", app),
    OBJECT(Driver, "recorder", recorder),
    OBJECT(Driver, "route_of", route_of),
    OBJECT(Driver, "tracer", tracer),
    FLAG(Driver, "is_on", is_on),
    FLAG(Driver, "traces_all", traces_all),
    {NULL},
};

static PyMethodDef driver_methods[] = {
    {"wsgi_serve", (PyCFunction)(void (*)(void))wsgi_serve, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"asgi_serve", (PyCFunction)(void (*)(void))asgi_serve, METH_FASTCALL, NULL},
    {NULL},
};

#define STATE(variable, text, structure, count, make, members, methods, attributes)            \
    static int visit_##structure(PyObject *self, visitproc visit, void *arg)                   \
    {                                                                                          \
        return visit_objects(self, count, visit, arg);                                         \
    }                                                                                          \
    static int clear_##structure(PyObject *self) { return clear_objects(self, count); }        \
    static void free_##structure(PyObject *self)                                               \
    {                                                                                          \
        PyObject_GC_UnTrack(self);                                                             \
        clear_objects(self, count);                                                            \
        Py_TYPE(self)->tp_free(self);                                                          \
    }                                                                                          \
    PyTypeObject variable = {                                                                  \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "wf_instrument.speed._compiled." text,        \
        .tp_basicsize = sizeof(structure),                                                     \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,             \
        .tp_traverse = visit_##structure,                                                            \
        .tp_clear = clear_##structure,                                                             \
        .tp_dealloc = free_##structure,                                                              \
        .tp_new = make,                                                                        \
        .tp_members = members,                                                                 \
        .tp_methods = methods,                                                                 \
        .tp_getset = attributes,                                                               \
    }

STATE(RecordType, "RecordState", Record, OBJECTS(Record, recorder, status), make_record,
      record_members, record_methods, NULL);
STATE(SpanType, "SpanState", Span, OBJECTS(Span, tracer, start_ns), make_span, span_members,
      span_methods, span_attributes);
STATE(RecorderType, "RecorderState", Recorder, OBJECTS(Recorder, pipeline, fold_after), make_state,
      recorder_members, NULL, NULL);
STATE(TracerType, "TracerState", Tracer, OBJECTS(Tracer, take, keeps_all), make_state,
      tracer_members, NULL, NULL);
STATE(BufferType, "BufferState", Buffer, OBJECTS(Buffer, spans, max_spans), make_state,
      buffer_members, NULL, NULL);
STATE(HandleType, "HandleState", Handle, OBJECTS(Handle, cells, counts), make_state,
      handle_members, NULL, NULL);
STATE(CellType, "CellState", Cell, OBJECTS(Cell, handle, is_listed), make_state, cell_members,
      NULL, NULL);
STATE(DriverType, "DriverState", Driver, OBJECTS(Driver, app, is_on), make_driver, driver_members,
      driver_methods, NULL);

int add_states(PyObject *module)
{
    no_pairs = PyTuple_New(0);
    if (no_pairs == NULL)
        return -1;
    PyTypeObject *states[] = {&RecordType, &SpanType, &RecorderType, &TracerType,
                              &BufferType, &HandleType, &CellType, &DriverType};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (PyModule_AddType(module, states[i]) < 0)
            return -1;
    }
    return 0;
}

/* What the parts of the accelerator share: the states of objects, and what Python handed over.
 *
 * Every fast path here is a short cut of a method written in Python, its twin. A fast path takes
 * only what is ordinary, decides that before it changes anything, and gives the rest to the twin.
 *
 * Threads: all of it runs under the GIL and lets go of it only where it calls Python.
 */
#ifndef WF_SPEED_H
#define WF_SPEED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <structmember.h>
#include <time.h>

#ifndef __linux__
#error "the clocks below are those that Python's time module reads on Linux; elsewhere the twins run"
#endif
#ifdef Py_GIL_DISABLED
#error "written for the GIL; in free-threaded builds the twins run"
#endif

/* Stands in a sample for a figure that could not be had; as in wf_instrument.web.series. */
#define ABSENT (-1)

/* Objects come first in each state, so that one loop visits and clears them. */

typedef struct {
    PyObject_HEAD
    PyObject *recorder, *method, *handle, *span, *outcome, *error, *cell, *url_parts;
    PyObject *dimensions, *thread_cpu_ns, *request_header_tags, *response_header_tags;
    /* of WSGI */
    PyObject *environ, *headers, *driver, *server_start, *server_write, *body;
    /* of ASGI */
    PyObject *scope, *receive, *send, *path, *root, *asked_headers, *query, *scheme, *mounts;
    PyObject *served, *thread_marks;
    PyObject *response_headers, *known_target;
    long long status, response_bytes, request_bytes, extra_cpu_ns, queued_ns;
    long long started_ns, started_mono_ns, started_cpu_ns, first_byte_ns, ended_mono_ns;
    long long step_ns, step_cpu_ns, longest_step_ns, cpu_ns;
    unsigned long long thread_id;
    char is_finished, is_left_out, is_bridged, is_stepping, has_left;
} Record;

typedef struct {
    PyObject_HEAD
    PyObject *tracer, *operation_name, *decision, *tag_source, *request;
    PyObject *parents, *follows, *tags, *logs, *baggage, *tracestate;
    /* What is left of a request that ended: enough to make its record anew for the tags. */
    PyObject *kind, *recorder, *method, *handle, *scheme, *host, *root, *path;
    long long start_ns, duration_ns, started_mono_ns, status, queued_ns;
    unsigned long long trace_high, trace_low, span_id;
    char is_finished, is_forced;
} Span;

typedef struct {
    PyObject_HEAD
    PyObject *pipeline, *tracer, *extras, *excluded, *live, *noted_keys, *noted_headers;
    PyObject *handles, *cpu_clock, *masked;
    PyObject *found; /* see handles.c */
    long long fold_after, loop_block_ns;
    unsigned long long noted_mask; /* of `masked`; see asgi.c */
    char metrics, keeps_query, is_reporting;
} Recorder;

typedef struct {
    PyObject_HEAD
    PyObject *take, *red_metrics;
    char keeps_all;
} Tracer;

typedef struct {
    PyObject_HEAD
    PyObject *spans;
    long long max_spans;
} Buffer;

typedef struct {
    PyObject_HEAD
    PyObject *cells, *route, *func, *quiet_paths;
    char counts, decides_late;
} Handle;

/* Latency, CPU and time to first byte in nanoseconds, request and response body in bytes. */
typedef struct {
    long long figures[5];
} Sample;

typedef struct {
    PyObject_HEAD
    PyObject *handle, *samples, *queued_ns, *exemplars;
    char is_listed;
} Cell;

typedef struct {
    PyObject_HEAD
    Sample *data;
    Py_ssize_t count, room;
} Samples;

typedef struct {
    PyObject_HEAD
    PyObject *app, *recorder, *route_of, *tracer;
    char is_on, traces_all;
} Driver;

/* What a class has under a name, as long as the class is not changed. */
typedef struct {
    PyTypeObject *type;
    unsigned int version;
    PyObject *function;
    PyMethodDef *of_c; /* in the place of a function of Python's */
} Bound;

/* A short cut in the place of a method of Python; see methods.c. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *short_cut, *twin, *attributes;
    PyCFunction direct; /* of a short cut of records that takes one argument; or NULL */
} Method;

extern PyTypeObject RecordType, SpanType, RecorderType, HandleType, CellType, DriverType;
extern PyTypeObject TracerType, BufferType;

/* The class that inherits a state, as far as seen: asked for by one comparison, not by a walk. */
extern PyTypeObject *record_class, *recorder_class, *handle_class, *driver_class, *buffer_class;
int is_also(PyObject *object, PyTypeObject *state, PyTypeObject **seen);
#define IS_A(object, state, seen)                                                              \
    (Py_TYPE(object) == (seen) || is_also((PyObject *)(object), &(state), &(seen)))
#define IS_RECORD(object) IS_A(object, RecordType, record_class)
#define IS_RECORDER(object) IS_A(object, RecorderType, recorder_class)
#define IS_HANDLE(object) IS_A(object, HandleType, handle_class)
#define IS_DRIVER(object) IS_A(object, DriverType, driver_class)
#define IS_BUFFER(object) IS_A(object, BufferType, buffer_class)
extern PyTypeObject SamplesType, WsgiBodyType, SteppedType, SendingType, MethodType;

/* What Python hands over by `link`, each under its own name; all of it before the first request. */
#define LINKED(X)                                                                              \
    X(active) X(spanless) X(caught) X(asgi_drivers) X(thread_time_ns) X(ids) X(tracer_class)   \
    X(span_class) X(span_finish_after) X(wsgi_request) X(wsgi_serve) X(wsgi_start_response)    \
    X(wsgi_iter) X(wsgi_close) X(wsgi_finish) X(sized_body) X(gone) X(asgi_request)            \
    X(asgi_finish) X(asgi_send) X(stepped) X(as_coroutine) X(flask_route) X(route_finder)      \
    X(route_leaves) X(django_route) X(report_span)
#define DECLARE(name) extern PyObject *py_##name;
LINKED(DECLARE)

/* Interned strings: names that are what they say, and keys. */
#define NAMES(X)                                                                               \
    X(search) X(note_environ) X(start_response) X(write) X(list_cell) X(wake)    \
    X(handle) X(bits) X(close) X(throw) X(started)         \
    X(receive) X(send) X(type) X(headers) X(status) X(body) X(more_body) X(root_path)          \
    X(scheme) X(http) X(http_version) X(url_rule) X(fastapi) X(effective_route_context)        \
    X(original_route) X(is_finished) X(served_request)
#define KEYS(X)                                                                                \
    X(request_key, "wf_instrument.request") X(method, "REQUEST_METHOD") X(host, "HTTP_HOST")   \
    X(url_scheme, "wsgi.url_scheme") X(protocol, "SERVER_PROTOCOL") X(script, "SCRIPT_NAME")   \
    X(path, "PATH_INFO") X(file_wrapper, "wsgi.file_wrapper") X(http11, "HTTP/1.1")            \
    X(asgi_method, "method") X(asgi_path, "path") X(empty, "") X(11, "1.1") X(head, "HEAD")    \
    X(werkzeug_request, "werkzeug.request") X(django_route, "wf_instrument.django.route")        \
    X(response_start, "http.response.start") X(response_body, "http.response.body")
extern PyObject *s_no_host; /* bytes */
#define DECLARE_NAME(name) extern PyObject *s_##name;
#define DECLARE_KEY(name, text) extern PyObject *s_##name;
#define DEFINE_KEY(name, text) PyObject *s_##name;
#define INTERN_KEY(name, text)                                                                 \
    if ((s_##name = PyUnicode_InternFromString(text)) == NULL)                                 \
        return -1;
NAMES(DECLARE_NAME)
KEYS(DECLARE_KEY)
extern PyObject *n_64, *n_192;
extern PyObject *no_pairs; /* the empty tuple */

static inline int absent(PyObject *object) { return object == NULL || object == Py_None; }

static inline void put(PyObject **slot, PyObject *value)
{
    PyObject *old = *slot;
    Py_XINCREF(value);
    *slot = value;
    Py_XDECREF(old);
}

/* Whether a text is one of ours, by its letters: literals of other modules are other objects. */
static inline int is_same(PyObject *text, PyObject *other)
{
    return text == other ||
           (PyUnicode_CheckExact(text) && PyUnicode_CheckExact(other) &&
            PyUnicode_IS_COMPACT_ASCII(text) && PyUnicode_IS_COMPACT_ASCII(other) &&
            PyUnicode_GET_LENGTH(text) == PyUnicode_GET_LENGTH(other) &&
            memcmp(PyUnicode_DATA(text), PyUnicode_DATA(other), PyUnicode_GET_LENGTH(text)) == 0);
}

static inline long long clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (long long)now.tv_sec * 1000000000LL + now.tv_nsec;
}
/* As time.time_ns, time.perf_counter_ns and time.thread_time_ns. */
#define WALL_NS() clock_ns(CLOCK_REALTIME)
#define MONO_NS() clock_ns(CLOCK_MONOTONIC)
#define THREAD_NS() clock_ns(CLOCK_THREAD_CPUTIME_ID)

/* Hand the pending exception to `guard.caught`; what is no Exception stays pending (-1). */
int swallow(const char *where);

/* states.c */
int add_states(PyObject *module);
Record *new_record(PyTypeObject *type);

/* samples.c */
int add_sample(Samples *samples, Sample sample);

/* buckets.c */
PyObject *put_values(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* ended.c */
extern PyGetSetDef span_attributes[];
void keep_facts(Span *span, Record *record, PyObject *const url[4]);

/* record.c */
int set_variable(PyObject *variable, PyObject *value);
int is_serving(PyObject *held);
int leave(Record *record, PyObject *outer);
int begin_span(Record *record, Recorder *recorder);
PyObject *bound(PyObject *self, PyObject *name, Bound *known);
int is_excluded(Recorder *recorder, PyObject *path);
int is_ordinary_end(Record *record, Recorder *recorder);
int is_quiet(Record *record, PyObject *path);
PyObject *end_record(Record *record, Recorder *recorder, long long cpu_ns,
                     PyObject *const url[4]);
PyObject *span_finish_after(PyObject *self, PyObject *duration);

/* handles.c */
Handle *look_up(Recorder *recorder, PyObject *route, PyObject *method, PyObject *scheme,
                PyObject *protocol);

/* wsgi.c */
PyObject *wsgi_serve(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *wsgi_start_response(PyObject *self, PyObject *const *args, Py_ssize_t count,
                              PyObject *names);
PyObject *wsgi_iter(PyObject *self, PyObject *unused);
PyObject *wsgi_close(PyObject *self, PyObject *unused);
PyObject *wsgi_finish(PyObject *self, PyObject *unused);

/* asgi.c */
PyObject *asgi_begin(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *asgi_send(PyObject *self, PyObject *message);
PyObject *asgi_finish(PyObject *self, PyObject *unused);
int asgi_returned(Record *record);

/* steps.c */
PyObject *asgi_serve(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *make_stepped(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *next_of(PyObject *self, PyObject *value, sendfunc resume, int is_next);
PyObject *raise_given(PyObject *args);

/* routes.c */
PyObject *route_of(Driver *driver, PyObject *asked);
PyObject *call_noted(PyObject *self, PyObject *const *args, size_t flags, PyObject *names);

/* methods.c */
PyObject *noting_method(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *coroutine_method(PyObject *module, PyObject *const *args, Py_ssize_t count);

#endif

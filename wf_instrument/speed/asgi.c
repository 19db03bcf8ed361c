/* The way of an ordinary HTTP request through ASGI; short cuts of wf_instrument.web.asgi. */
#include "speed.h"

/* A response without background tasks unwinds in some ten microseconds. */
#define MIN_BACKGROUND_NS 1000000LL

static PyObject *text_at(PyObject *scope, PyObject *name, PyObject *otherwise)
{
    PyObject *text = PyDict_GetItemWithError(scope, name);
    return text == NULL && !PyErr_Occurred() ? otherwise : text; /* borrowed */
}

static int is_text(PyObject *object, PyObject *interned)
{
    return is_same(object, interned) || (PyUnicode_Check(object) && !PyUnicode_CheckExact(object) &&
                                         PyUnicode_Compare(object, interned) == 0);
}

static int is_sequence(PyObject *headers)
{
    return headers != NULL && (PyList_CheckExact(headers) || PyTuple_CheckExact(headers));
}

static int is_pair(PyObject *header)
{
    return (PyTuple_CheckExact(header) || PyList_CheckExact(header)) &&
           PySequence_Fast_GET_SIZE(header) == 2;
}

/* Where a name stands in the mask of those noted. */
static uint64_t mark_of(PyObject *name)
{
    Py_ssize_t size = PyBytes_GET_SIZE(name);
    return (uint64_t)1 << ((5 * size + (size ? PyBytes_AS_STRING(name)[size / 2] : 0)) & 63);
}

/* Note which names can be among those noted: most headers are told apart without a hash. */
static int make_mask(Recorder *recorder)
{
    uint64_t mask = 0;
    PyObject *names = PySequence_List(recorder->noted_headers);
    if (names == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names); i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        mask |= PyBytes_CheckExact(name) ? mark_of(name) : ~(uint64_t)0;
    }
    Py_DECREF(names);
    recorder->noted_mask = mask;
    put(&recorder->masked, recorder->noted_headers);
    return 0;
}

/* Whether headers name something that only some requests have; 1 also for what is odd. */
static int has_noted(PyObject *headers, Recorder *recorder)
{
    PyObject *noted = recorder->noted_headers;
    if (recorder->masked != noted && make_mask(recorder) < 0) {
        PyErr_Clear();
        return 1;
    }
    if (!is_sequence(headers))
        return 1;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(headers);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(headers, i);
        PyObject *name = is_pair(pair) ? PySequence_Fast_GET_ITEM(pair, 0) : NULL;
        /* Of bytes, or asking for the hash might run code that changes the headers. */
        int has = name == NULL || !PyBytes_CheckExact(name)       ? -1
                  : (mark_of(name) & recorder->noted_mask) == 0 ? 0
                                                                  : PySet_Contains(noted, name);
        if (has != 0) {
            PyErr_Clear(); /* the twin meets it too, and says so */
            return 1;
        }
    }
    return 0;
}

/* Return the record of an ordinary request; None for the twin to decide, NULL on error. */
PyObject *asgi_begin(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Driver *driver = (Driver *)self;
    Recorder *recorder = (Recorder *)driver->recorder;
    PyObject *scope = count == 3 ? args[0] : NULL;
    if (scope == NULL || !driver->is_on || absent(driver->recorder) ||
        !IS_RECORDER(recorder) || !PyDict_CheckExact(scope) ||
        !absent(recorder->extras) || !recorder->is_reporting ||
        recorder->cpu_clock != py_thread_time_ns || recorder->keeps_query ||
        recorder->noted_headers == NULL || !PyFrozenSet_CheckExact(recorder->noted_headers))
        Py_RETURN_NONE;
    PyObject *kind = text_at(scope, s_type, Py_None);
    PyObject *method = text_at(scope, s_asgi_method, NULL);
    PyObject *path = text_at(scope, s_asgi_path, NULL);
    PyObject *headers = text_at(scope, s_headers, NULL);
    PyObject *root = text_at(scope, s_root_path, s_empty);
    PyObject *scheme = text_at(scope, s_scheme, s_http);
    if (PyErr_Occurred() || method == NULL || path == NULL || headers == NULL || root == NULL ||
        scheme == NULL || !is_text(kind, s_http) ||
        PyDict_Contains(scope, s_request_key) != 0 || is_excluded(recorder, path) != 0 ||
        has_noted(headers, recorder)) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    Record *record = new_record((PyTypeObject *)py_asgi_request);
    if (record == NULL)
        return NULL;
    put(&record->driver, self);
    put(&record->receive, args[1]);
    put(&record->send, args[2]);
    put(&record->scope, scope);
    /* Kept apart: frameworks change the scope on the way, and it may not outlive the request. */
    put(&record->path, path);
    put(&record->root, root);
    put(&record->asked_headers, headers);
    put(&record->scheme, scheme);
    put(&record->recorder, (PyObject *)recorder);
    put(&record->method, method);
    record->started_ns = WALL_NS();
    record->step_cpu_ns = THREAD_NS();
    record->started_mono_ns = record->step_ns = MONO_NS();
    /* From here on a drain in another thread may look at it. */
    if (recorder->metrics && PySet_Add(recorder->live, (PyObject *)record) < 0) {
        Py_DECREF(record);
        return NULL;
    }
    int failed = PyDict_SetItem(scope, s_request_key, (PyObject *)record);
    if (!failed && !absent(recorder->tracer) && driver->traces_all)
        failed = begin_span(record, recorder);
    if (failed && swallow("asgi.begin") < 0) {
        Py_DECREF(record);
        return NULL;
    }
    return (PyObject *)record;
}

/* The last header named host, as a dictionary of them would have it; empty without. Borrowed. */
static PyObject *host_of(PyObject *headers)
{
    PyObject *host = s_no_host;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(headers); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(headers, i);
        /* The application may have changed them since `has_noted` saw them. */
        PyObject *name = is_pair(pair) ? PySequence_Fast_GET_ITEM(pair, 0) : Py_None;
        if (PyBytes_CheckExact(name) && PyBytes_GET_SIZE(name) == 4 &&
            memcmp(PyBytes_AS_STRING(name), "host", 4) == 0)
            host = PySequence_Fast_GET_ITEM(pair, 1);
    }
    return host;
}

PyObject *asgi_finish(PyObject *self, PyObject *unused)
{
    Record *record = (Record *)self;
    Recorder *recorder = (Recorder *)record->recorder;
    if (record->is_finished)
        Py_RETURN_NONE;
    if (Py_TYPE(self) != (PyTypeObject *)py_asgi_request || recorder == NULL ||
        !IS_RECORDER(recorder) || !is_ordinary_end(record, recorder))
        return PyObject_CallOneArg(py_asgi_finish, self);
    PyObject *url[4] = {NULL, NULL, NULL, NULL};
    if (!absent(record->span) && is_sequence(record->asked_headers) && absent(record->query)) {
        url[0] = record->scheme;
        url[1] = host_of(record->asked_headers);
        url[2] = record->root;
        url[3] = record->path;
    }
    if (!absent(record->span) && is_quiet(record, url[3]))
        return PyObject_CallOneArg(py_asgi_finish, self);
    record->is_finished = 1;
    record->ended_mono_ns = MONO_NS();
    long long cpu_ns = ABSENT;
    if (!absent(recorder->cpu_clock)) {
        cpu_ns = record->cpu_ns + record->extra_cpu_ns;
        if (record->is_stepping)
            cpu_ns += THREAD_NS() - record->step_cpu_ns;
    }
    return end_record(record, recorder, cpu_ns, url);
}

/* Note status and route; as `AsgiRequest.started`. */
static int note_start(Record *record, PyObject *message)
{
    PyObject *number = PyDict_GetItemWithError(message, s_status);
    long status = number == NULL ? -1 : PyLong_AsLong(number);
    if (status < 0 || status >= 500) {
        PyErr_Clear();
        PyObject *done =
            PyObject_CallMethodObjArgs((PyObject *)record, s_started, message, NULL);
        Py_XDECREF(done);
        return done == NULL ? -1 : 0;
    }
    record->first_byte_ns = MONO_NS();
    record->status = status;
    PyObject *headers = text_at(message, s_headers, NULL);
    if (headers != NULL)
        put(&record->response_headers, headers);
    else if (PyErr_Occurred())
        return -1;
    if (!absent(record->handle))
        return 0;
    PyObject *scope = record->scope;
    Driver *driver = (Driver *)record->driver;
    if (absent(scope) || !PyDict_CheckExact(scope) || !IS_DRIVER(driver) ||
        absent(driver->recorder) || !IS_RECORDER(driver->recorder)) {
        PyObject *handle = PyObject_CallMethod((PyObject *)record, "resolve_handle", NULL);
        put(&record->handle, handle);
        Py_XDECREF(handle);
        return handle == NULL ? -1 : 0;
    }
    PyObject *protocol = text_at(scope, s_http_version, s_11);
    Py_XINCREF(protocol); /* the framework may change the scope while it is asked */
    PyObject *route = protocol == NULL ? NULL : route_of(driver, scope);
    if (route == NULL) {
        Py_XDECREF(protocol);
        return -1;
    }
    /* Of an inner layer, perhaps: its recorder names the route. */
    Handle *handle =
        look_up((Recorder *)driver->recorder, route, record->method, record->scheme, protocol);
    Py_DECREF(route);
    Py_DECREF(protocol);
    put(&record->handle, (PyObject *)handle);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

/* Note what a message tells; 1 when the response ends with it, 0 when not, -1 on error. */
static int note_message(Record *record, PyObject *message, int is_start)
{
    if (is_start)
        return note_start(record, message);
    PyObject *body = text_at(message, s_body, Py_None);
    PyObject *more = body == NULL ? NULL : text_at(message, s_more_body, Py_False);
    if (more == NULL)
        return -1;
    int has_body = PyObject_IsTrue(body);
    Py_ssize_t size = has_body > 0 ? PyObject_Size(body) : has_body;
    if (size < 0)
        return -1;
    record->response_bytes += size;
    int has_more = PyObject_IsTrue(more);
    return has_more < 0 ? -1 : !has_more;
}

/* What `send` returns: a coroutine that notes a message, hands it on, and ends the request. */
typedef struct {
    PyObject_HEAD
    Record *record;
    PyObject *message, *inner;
    char is_start, ends, is_over;
} Sending;

/* Freed ones, for the next message: their memory is in the processor's cache, and taking one does
 * not count towards the next garbage collection.
 */
static Sending *spare[4];
static int spares;

static Sending *new_sending(void)
{
    if (spares == 0)
        return PyObject_GC_New(Sending, &SendingType);
    return (Sending *)PyObject_Init((PyObject *)spare[--spares], &SendingType);
}

PyObject *asgi_send(PyObject *self, PyObject *message)
{
    Record *record = (Record *)self;
    Recorder *recorder = (Recorder *)record->recorder;
    PyObject *kind = NULL;
    if (Py_TYPE(self) == (PyTypeObject *)py_asgi_request && PyDict_CheckExact(message) &&
        recorder != NULL && IS_RECORDER(recorder) &&
        absent(recorder->extras) && !absent(record->send))
        kind = text_at(message, s_type, NULL);
    int is_start = kind != NULL && is_text(kind, s_response_start);
    if (!is_start && (kind == NULL || !is_text(kind, s_response_body))) {
        PyErr_Clear(); /* the twin meets it too */
        return PyObject_CallFunctionObjArgs(py_asgi_send, self, message, NULL);
    }
    Sending *sending = new_sending();
    if (sending == NULL)
        return NULL;
    Py_INCREF(self);
    Py_INCREF(message);
    sending->record = record;
    sending->message = message;
    sending->inner = NULL;
    sending->ends = sending->is_over = 0;
    sending->is_start = is_start;
    PyObject_GC_Track(sending);
    return (PyObject *)sending;
}

/* Begin: note the message and call the server; 0, or -1 with an error set. */
static int begin_sending(Sending *sending)
{
    Record *record = sending->record;
    int ends = note_message(record, sending->message, sending->is_start);
    if (ends < 0 && swallow("asgi.send") < 0)
        return -1;
    sending->ends = ends > 0;
    if (sending->ends) {
        put(&record->response_headers, Py_None); /* see `AsgiRequest._is_ending` */
        if (is_text(record->method, s_head))
            record->response_bytes = 0; /* servers keep such a body to themselves */
    }
    PyObject *awaited = PyObject_CallOneArg(record->send, sending->message);
    if (awaited == NULL)
        return -1;
    if (PyCoro_CheckExact(awaited) || Py_TYPE(awaited) == &SendingType) {
        sending->inner = awaited;
        return 0;
    }
    PyAsyncMethods *methods = Py_TYPE(awaited)->tp_as_async;
    if (methods != NULL && methods->am_await != NULL)
        sending->inner = methods->am_await(awaited);
    else
        /* A coroutine of generators, or nothing to wait for: Python says which. */
        sending->inner = PyObject_CallOneArg(py_as_coroutine, awaited);
    Py_DECREF(awaited);
    return sending->inner == NULL ? -1 : 0;
}

/* After the server has taken the message, or refused it. */
static int end_sending(Sending *sending, int is_taken)
{
    Record *record = sending->record;
    sending->is_over = 1;
    if (!is_taken) {
        /* Source: ASGI, "HTTP & WebSocket ASGI Message Format", "Disconnected Client". */
        if (PyErr_ExceptionMatches(PyExc_OSError))
            record->has_left = 1;
        return -1;
    }
    if (!sending->ends)
        return 0;
    if (record->has_left) {
        PyObject *outcome = PyUnicode_InternFromString("client_disconnect");
        put(&record->outcome, outcome);
        Py_XDECREF(outcome);
    }
    PyObject *done = asgi_finish((PyObject *)record, NULL);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int is_spent(Sending *sending)
{
    if (sending->is_over)
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return sending->is_over;
}

static PySendResult resume_sending(PyObject *self, PyObject *value, PyObject **result)
{
    Sending *sending = (Sending *)self;
    *result = NULL;
    if (is_spent(sending))
        return PYGEN_ERROR;
    if (sending->inner == NULL && begin_sending(sending) < 0) {
        end_sending(sending, 0);
        return PYGEN_ERROR;
    }
    PySendResult state = PyIter_Send(sending->inner, value, result);
    if (state == PYGEN_NEXT)
        return state;
    if (end_sending(sending, state == PYGEN_RETURN) < 0) {
        Py_CLEAR(*result);
        return PYGEN_ERROR;
    }
    if (*result != Py_None) {
        Py_DECREF(*result);
        Py_INCREF(Py_None);
        *result = Py_None;
    }
    return PYGEN_RETURN;
}

/* Shared with `Stepped`: `send`, `__next__` out of `am_send`. */
PyObject *next_of(PyObject *self, PyObject *value, sendfunc resume, int is_next)
{
    PyObject *result;
    PySendResult state = resume(self, value, &result);
    if (state != PYGEN_RETURN)
        return result;
    if (!is_next || result != Py_None) {
        PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        if (stop != NULL)
            PyErr_SetObject(PyExc_StopIteration, stop);
        Py_XDECREF(stop);
    }
    Py_DECREF(result);
    return NULL;
}

static PyObject *sending_next(PyObject *self)
{
    return next_of(self, Py_None, resume_sending, 1);
}

static PyObject *sending_send(PyObject *self, PyObject *value)
{
    return next_of(self, value, resume_sending, 0);
}

/* Raise what `throw` was given, as a generator that has not begun does. */
PyObject *raise_given(PyObject *args)
{
    PyObject *kind, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &kind, &value, &traceback))
        return NULL;
    if (PyExceptionInstance_Check(kind))
        PyErr_SetObject((PyObject *)Py_TYPE(kind), kind);
    else
        PyErr_SetObject(kind, value);
    return NULL;
}

static PyObject *sending_throw(PyObject *self, PyObject *args)
{
    Sending *sending = (Sending *)self;
    if (is_spent(sending))
        return NULL;
    if (sending->inner == NULL) {
        sending->is_over = 1;
        return raise_given(args);
    }
    PyObject *throw = PyObject_GetAttr(sending->inner, s_throw);
    if (throw == NULL) {
        PyErr_Clear();
        raise_given(args);
        end_sending(sending, 0);
        return NULL;
    }
    PyObject *yielded = PyObject_CallObject(throw, args);
    Py_DECREF(throw);
    if (yielded != NULL)
        return yielded;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        end_sending(sending, 0);
        return NULL;
    }
    PyErr_Clear(); /* it took the exception, and the message */
    if (end_sending(sending, 1) == 0)
        PyErr_SetNone(PyExc_StopIteration);
    return NULL;
}

static PyObject *sending_close(PyObject *self, PyObject *unused)
{
    Sending *sending = (Sending *)self;
    PyObject *inner = sending->is_over ? NULL : sending->inner;
    sending->is_over = 1;
    if (inner != NULL && PyObject_HasAttr(inner, s_close))
        return PyObject_CallMethodObjArgs(inner, s_close, NULL);
    Py_RETURN_NONE;
}

static int visit_sending(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Sending *)self)->record);
    Py_VISIT(((Sending *)self)->message);
    Py_VISIT(((Sending *)self)->inner);
    return 0;
}

static int clear_sending(PyObject *self)
{
    ((Sending *)self)->is_over = 1; /* what else is garbage may still ask it */
    Py_CLEAR(((Sending *)self)->record);
    Py_CLEAR(((Sending *)self)->message);
    Py_CLEAR(((Sending *)self)->inner);
    return 0;
}

static void free_sending(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear_sending(self);
    if (spares < (int)(sizeof(spare) / sizeof(spare[0])))
        spare[spares++] = (Sending *)self;
    else
        PyObject_GC_Del(self);
}

static PyMethodDef sending_methods[] = {
    {"send", sending_send, METH_O, NULL},
    {"throw", sending_throw, METH_VARARGS, NULL},
    {"close", sending_close, METH_NOARGS, NULL},
    {NULL},
};

static PyAsyncMethods sending_async = {.am_await = PyObject_SelfIter, .am_send = resume_sending};

PyTypeObject SendingType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "wf_instrument.speed._compiled.Sending",
    .tp_basicsize = sizeof(Sending),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = visit_sending,
    .tp_clear = clear_sending,
    .tp_dealloc = free_sending,
    .tp_as_async = &sending_async,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = sending_next,
    .tp_methods = sending_methods,
};

/* The application has returned or raised; as `AsgiRequest.returned`. */
int asgi_returned(Record *record)
{
    Recorder *recorder = (Recorder *)record->recorder;
    PyObject *scope = record->scope;
    if (record->is_finished && absent(record->error) && !absent(record->cell) &&
        record->longest_step_ns <= recorder->loop_block_ns &&
        MONO_NS() - record->ended_mono_ns <= MIN_BACKGROUND_NS && !absent(scope) &&
        PyDict_CheckExact(scope)) {
        int failed = PyDict_DelItem(scope, s_request_key);
        if (failed < 0 && PyErr_ExceptionMatches(PyExc_KeyError)) {
            PyErr_Clear();
            failed = 0;
        }
        put(&record->scope, NULL);
        put(&record->span, NULL);
        return failed < 0 ? swallow("asgi.returned") : 0;
    }
    PyObject *done = PyObject_CallMethod((PyObject *)record, "returned", NULL);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

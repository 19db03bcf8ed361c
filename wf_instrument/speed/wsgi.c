/* The way of an ordinary WSGI request; short cuts of wf_instrument.web.wsgi. */
#include "speed.h"

static PyObject *text_at(PyObject *environ, PyObject *name, PyObject *otherwise)
{
    PyObject *text = PyDict_GetItemWithError(environ, name);
    return text == NULL && !PyErr_Occurred() ? otherwise : text; /* borrowed */
}

/* Whether the environ has one of the keys that more than most requests have; -1 on error. */
static int has_noted(PyObject *environ, PyObject *keys)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); i++) {
        int has = PyDict_Contains(environ, PyTuple_GET_ITEM(keys, i));
        if (has != 0)
            return has;
    }
    return 0;
}

/* Whether there is a span or request around, of which the twin finds out more. */
static int is_within_request(void)
{
    PyObject *span = NULL, *request = NULL;
    int is_alone = PyContextVar_Get(py_active, NULL, &span) == 0 && span == Py_None &&
                   PyContextVar_Get(py_spanless, NULL, &request) == 0 && is_serving(request) == 0;
    PyErr_Clear();
    Py_XDECREF(span);
    Py_XDECREF(request);
    return !is_alone;
}

/* Whether a request is to be recorded: 1 here, 0 by the twin, -1 on error. */
static int is_ours(Driver *driver, PyObject *environ)
{
    Recorder *recorder = (Recorder *)driver->recorder;
    if (!driver->is_on ||
        recorder == NULL || !IS_RECORDER(recorder) ||
        !PyDict_CheckExact(environ) || (PyList_GET_SIZE(py_asgi_drivers) != 0 && is_within_request()) ||
        !absent(recorder->extras) || !recorder->is_reporting ||
        recorder->noted_keys == NULL || !PyTuple_CheckExact(recorder->noted_keys))
        return 0;
    int is_inner = PyDict_Contains(environ, s_request_key);
    if (is_inner != 0)
        return is_inner < 0 ? -1 : 0;
    int excluded = is_excluded(recorder, text_at(environ, s_path, s_empty));
    if (excluded != 0)
        return excluded < 0 ? -1 : 0;
    return 1;
}

/* Return the record of a request, NULL with an error set; `is_live` tells how far it came. */
static Record *begin(Driver *driver, PyObject *environ, PyObject *server_start)
{
    Recorder *recorder = (Recorder *)driver->recorder;
    PyObject *nothing = s_http; /* any text; only its absence matters */
    PyObject *method = text_at(environ, s_method, nothing);
    if (method == NULL)
        return NULL;
    Record *record = new_record((PyTypeObject *)py_wsgi_request);
    if (record == NULL)
        return NULL;
    put(&record->driver, (PyObject *)driver);
    put(&record->server_start, server_start);
    put(&record->environ, environ);
    put(&record->recorder, (PyObject *)recorder);
    if (method == nothing)
        record->method = PyUnicode_FromStringAndSize(NULL, 0);
    else
        put(&record->method, method);
    record->started_ns = WALL_NS();
    if (recorder->cpu_clock == py_thread_time_ns) {
        record->started_cpu_ns = THREAD_NS();
    } else if (!absent(recorder->cpu_clock)) {
        PyObject *cpu = PyObject_CallNoArgs(recorder->cpu_clock);
        record->started_cpu_ns = cpu == NULL ? -1 : PyLong_AsLongLong(cpu);
        Py_XDECREF(cpu);
        if (PyErr_Occurred())
            goto failed;
    }
    record->thread_id = PyThread_get_thread_ident();
    record->started_mono_ns = MONO_NS();
    /* Last: from here on a drain in another thread may look at it. */
    if (recorder->metrics && PySet_Add(recorder->live, (PyObject *)record) < 0)
        goto failed;
    if (PyDict_SetItem(environ, s_request_key, (PyObject *)record) < 0) {
        if (recorder->metrics && PySet_Discard(recorder->live, (PyObject *)record) < 0)
            PyErr_Clear();
        goto failed;
    }
    return record;
failed:
    Py_DECREF(record);
    return NULL;
}

/* What is made for a request once it is recorded. Never fails but for what is no Exception. */
static int begin_rest(Record *record, Driver *driver, PyObject *environ)
{
    Recorder *recorder = (Recorder *)driver->recorder;
    int failed = has_noted(environ, recorder->noted_keys);
    if (failed > 0) {
        PyObject *done = PyObject_CallMethodObjArgs((PyObject *)record, s_note_environ, environ,
                                                    NULL);
        failed = done == NULL ? -1 : 0;
        Py_XDECREF(done);
    }
    if (failed == 0 && !absent(driver->tracer) && absent(record->span))
        failed = begin_span(record, recorder);
    return failed < 0 ? swallow("wsgi.begin") : 0;
}

static void let_go(Record *record)
{
    put(&record->span, NULL);
    put(&record->server_start, py_gone);
    put(&record->server_write, py_gone);
}

static PyObject *finish(Record *record)
{
    return wsgi_finish((PyObject *)record, NULL);
}

/* End a request with the pending exception, which stays pending. */
static void end_raised(Record *record, const char *outcome)
{
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    PyErr_NormalizeException(&kind, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *done = PyObject_CallMethod((PyObject *)record, "escaped", "Os", error, outcome);
    if (done == NULL && swallow("wsgi.escaped") < 0)
        PyErr_Clear(); /* the application's exception is the one to go on with */
    Py_XDECREF(done);
    done = finish(record);
    if (done == NULL)
        PyErr_Clear(); /* as above */
    Py_XDECREF(done);
    PyErr_Restore(kind, error, traceback);
}

/* What the server is given; as `WsgiRequest.response`. Takes the reference to `body`. */
static PyObject *response(Record *record, PyObject *body)
{
    PyTypeObject *kind = Py_TYPE(body);
    int is_whole = kind == &PyList_Type || kind == &PyTuple_Type;
    if (is_whole) {
        Py_ssize_t size = 0;
        /* A length may be the application's own code, which may change the list. */
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(body) && size >= 0; i++) {
            PyObject *chunk = PySequence_Fast_GET_ITEM(body, i);
            Py_INCREF(chunk);
            Py_ssize_t part = PyObject_Size(chunk);
            Py_DECREF(chunk);
            size = part < 0 ? -1 : size + part;
        }
        if (size < 0 && swallow("wsgi.response") < 0)
            goto failed;
        record->response_bytes += size < 0 ? 0 : size;
    } else {
        PyObject *wrapper = absent(record->environ)
                                ? NULL
                                : text_at(record->environ, s_file_wrapper, NULL);
        if (wrapper == (PyObject *)kind || (wrapper == NULL && PyErr_Occurred())) {
            PyErr_Clear();
            PyObject *given = PyObject_CallMethod((PyObject *)record, "response", "O", body);
            Py_DECREF(body);
            return given;
        }
        put(&record->body, body);
        PySequenceMethods *sequence = kind->tp_as_sequence;
        PyMappingMethods *mapping = kind->tp_as_mapping;
        if ((sequence != NULL && sequence->sq_length != NULL) ||
            (mapping != NULL && mapping->mp_length != NULL))
        {
            PyObject *sized = PyObject_CallOneArg(py_sized_body, (PyObject *)record);
            if (sized == NULL && swallow("wsgi.response") == 0) {
                /* The body itself then, unseen. */
                PyObject *done = finish(record);
                Py_XDECREF(done);
                return done == NULL ? (Py_DECREF(body), NULL) : body;
            }
            Py_DECREF(body);
            return sized;
        }
        Py_DECREF(body);
        Py_INCREF(record);
        return (PyObject *)record;
    }
    PyObject *done = finish(record);
    if (done == NULL)
        goto failed;
    Py_DECREF(done);
    let_go(record);
    return body;
failed:
    Py_DECREF(body);
    return NULL;
}

/* Leave the context as it was found, and what refers back to the record; for a pending exception. */
static void end_call(Record *record, PyObject *variable, PyObject *before)
{
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    if ((variable == py_active ? set_variable(variable, before) : leave(record, before)) < 0)
        PyErr_Clear();
    let_go(record);
    PyErr_Restore(kind, error, traceback);
}

PyObject *wsgi_serve(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Driver *driver = (Driver *)self;
    int ours = count == 2 && names == NULL ? is_ours(driver, args[0]) : 0;
    if (ours < 0 && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    if (ours < 0)
        PyErr_Clear(); /* whatever is odd about it, the twin meets it too, and says so */
    if (ours <= 0) {
        PyObject *twin = PyMethod_New(py_wsgi_serve, self);
        PyObject *body = twin == NULL ? NULL : PyObject_Vectorcall(twin, args, count, names);
        Py_XDECREF(twin);
        return body;
    }
    PyObject *environ = args[0];
    Record *record = begin(driver, environ, args[1]);
    if (record == NULL)
        return swallow("wsgi.begin") < 0 ? NULL
                                         : PyObject_Vectorcall(driver->app, args, count, NULL);
    PyObject *body = NULL, *given = NULL, *before = NULL, *variable = NULL;
    PyObject *start_response = NULL;
    if (begin_rest(record, driver, environ) < 0)
        goto done;
    PyObject *current = absent(record->span) ? (PyObject *)record : record->span;
    variable = absent(record->span) ? py_spanless : py_active;
    static Bound known_start_response;
    start_response = bound((PyObject *)record, s_start_response, &known_start_response);
    /* Put back by value, which costs less than by token. */
    if (start_response == NULL || PyContextVar_Get(variable, NULL, &before) < 0 ||
        set_variable(variable, current) < 0)
        goto done;
    PyObject *call[2] = {environ, start_response}, *app = driver->app;
    Py_INCREF(app); /* the driver may be given another one meanwhile */
    body = PyObject_Vectorcall(app, call, 2, NULL);
    Py_DECREF(app);
    if (body == NULL) {
        end_raised(record, "server_error");
        end_call(record, variable, before);
        goto done;
    }
    if ((variable == py_active ? set_variable(variable, before) : leave(record, before)) == 0)
        given = response(record, body);
    else
        Py_DECREF(body);
done:
    Py_XDECREF(start_response);
    Py_XDECREF(before);
    Py_DECREF(record);
    return given;
}

/* Status as a number from "200 OK"; -1 for what the twin should read. */
static long status_of(PyObject *status)
{
    if (!PyUnicode_CheckExact(status) || PyUnicode_GET_LENGTH(status) < 3 ||
        !PyUnicode_IS_COMPACT_ASCII(status))
        return -1;
    const Py_UCS1 *text = PyUnicode_1BYTE_DATA(status);
    for (int i = 0; i < 3; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
    }
    return (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
}

/* Find the route while the framework still knows it; as `WsgiRequest.resolve_handle`. */
static int resolve(Record *record, Recorder *recorder)
{
    PyObject *environ = record->environ;
    Py_INCREF(environ); /* of the record alone, perhaps, which lets go of it when it ends */
    PyObject *route = route_of((Driver *)record->driver, environ);
    if (route == NULL) {
        Py_DECREF(environ);
        return -1;
    }
    PyObject *scheme = text_at(environ, s_url_scheme, s_http);
    PyObject *protocol = scheme == NULL ? NULL : text_at(environ, s_protocol, s_http11);
    Handle *handle = protocol == NULL
                         ? NULL
                         : look_up(recorder, route, record->method, scheme, protocol);
    Py_DECREF(route);
    Py_DECREF(environ);
    put(&record->handle, (PyObject *)handle);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

PyObject *wsgi_start_response(PyObject *self, PyObject *const *args, Py_ssize_t count,
                              PyObject *names)
{
    Record *record = (Record *)self;
    Recorder *recorder = (Recorder *)record->recorder;
    long status = count >= 2 && names == NULL ? status_of(args[0]) : -1;
    if (status < 0 || Py_TYPE(self) != (PyTypeObject *)py_wsgi_request || recorder == NULL ||
        !IS_RECORDER(recorder) || !absent(recorder->extras) ||
        absent(record->environ) || !PyDict_CheckExact(record->environ) ||
        absent(record->driver) || !IS_DRIVER(record->driver)) {
        PyObject *twin = PyMethod_New(py_wsgi_start_response, self);
        PyObject *write = twin == NULL ? NULL : PyObject_Vectorcall(twin, args, count, names);
        Py_XDECREF(twin);
        return write;
    }
    record->status = status;
    put(&record->headers, args[1]);
    if (!record->first_byte_ns)
        record->first_byte_ns = MONO_NS();
    if (absent(record->handle) && resolve(record, recorder) < 0 &&
        swallow("wsgi.start_response") < 0)
        return NULL;
    PyObject *start = record->server_start;
    Py_XINCREF(start); /* the record lets go of it when it ends, in another thread perhaps */
    PyObject *write = PyObject_Vectorcall(start == NULL ? Py_None : start, args, count, NULL);
    Py_XDECREF(start);
    if (write == NULL)
        return NULL;
    put(&record->server_write, write);
    Py_DECREF(write);
    static Bound known_write;
    return bound(self, s_write, &known_write);
}

PyObject *wsgi_finish(PyObject *self, PyObject *unused)
{
    Record *record = (Record *)self;
    Recorder *recorder = (Recorder *)record->recorder;
    if (record->is_finished)
        Py_RETURN_NONE;
    if (Py_TYPE(self) != (PyTypeObject *)py_wsgi_request || recorder == NULL ||
        !IS_RECORDER(recorder) || !is_ordinary_end(record, recorder))
        return PyObject_CallOneArg(py_wsgi_finish, self);
    PyObject *environ = record->environ, *url[4] = {NULL, NULL, NULL, NULL};
    if (!absent(record->span) && !absent(environ)) {
        PyObject *names[4] = {s_url_scheme, s_host, s_script, s_path};
        for (int i = 0; i < 4; i++) {
            url[i] = text_at(environ, names[i], NULL);
            if (url[i] == NULL) {
                PyErr_Clear();
                return PyObject_CallOneArg(py_wsgi_finish, self);
            }
        }
        if (is_quiet(record, url[3]))
            return PyObject_CallOneArg(py_wsgi_finish, self);
        if (!absent(record->known_target)) {
            PyObject *parts = PyTuple_Pack(4, url[0], url[1], url[2], url[3]);
            put(&record->url_parts, parts);
            Py_XDECREF(parts);
        }
    }
    record->is_finished = 1;
    record->ended_mono_ns = MONO_NS();
    long long cpu_ns = ABSENT;
    /* A response closed by another thread has no CPU figure that would mean anything. */
    if (!absent(recorder->cpu_clock) && record->thread_id == PyThread_get_thread_ident())
        cpu_ns = THREAD_NS() - record->started_cpu_ns + record->extra_cpu_ns;
    PyObject *done = end_record(record, recorder, cpu_ns, url);
    put(&record->environ, NULL);
    return done;
}

PyObject *wsgi_close(PyObject *self, PyObject *unused)
{
    Record *record = (Record *)self;
    if (!record->is_finished || Py_TYPE(self) != (PyTypeObject *)py_wsgi_request ||
        record->body == NULL)
        return PyObject_CallOneArg(py_wsgi_close, self);
    PyObject *body = record->body;
    Py_INCREF(body);
    put(&record->body, no_pairs);
    put(&record->headers, NULL);
    PyObject *close = PyObject_GetAttr(body, s_close);
    PyObject *done = Py_None;
    Py_INCREF(done);
    if (close == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    } else if (close != Py_None) {
        Py_DECREF(done);
        done = close == NULL ? NULL : PyObject_CallNoArgs(close);
    }
    Py_XDECREF(close);
    Py_DECREF(body);
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    let_go(record);
    PyErr_Restore(kind, error, traceback);
    if (done == NULL)
        return NULL;
    Py_DECREF(done);
    Py_RETURN_NONE;
}

/* The iterator over a body: the span is current while the application makes a chunk. */
typedef struct {
    PyObject_HEAD
    Record *record;
    PyObject *variable, *current, *iterator, *before;
    char is_over;
} WsgiBody;

static int visit_body(PyObject *self, visitproc visit, void *arg)
{
    WsgiBody *body = (WsgiBody *)self;
    Py_VISIT(body->record);
    Py_VISIT(body->current);
    Py_VISIT(body->iterator);
    Py_VISIT(body->before);
    return 0;
}

static int clear_body(PyObject *self)
{
    WsgiBody *body = (WsgiBody *)self;
    body->is_over = 1; /* what else is garbage may still ask it */
    Py_CLEAR(body->record);
    Py_CLEAR(body->current);
    Py_CLEAR(body->iterator);
    Py_CLEAR(body->before);
    return 0;
}

static void free_body(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear_body(self);
    PyObject_GC_Del(self);
}

PyObject *wsgi_iter(PyObject *self, PyObject *unused)
{
    Record *record = (Record *)self;
    if (Py_TYPE(self) != (PyTypeObject *)py_wsgi_request || absent(record->body))
        return PyObject_CallOneArg(py_wsgi_iter, self);
    WsgiBody *body = PyObject_GC_New(WsgiBody, &WsgiBodyType);
    if (body == NULL)
        return NULL;
    int has_span = !absent(record->span);
    body->record = record;
    body->variable = has_span ? py_active : py_spanless;
    body->current = has_span ? record->span : self;
    body->iterator = body->before = NULL;
    body->is_over = 0;
    Py_INCREF(record);
    Py_INCREF(body->current);
    PyObject_GC_Track(body);
    return (PyObject *)body;
}

/* Make current again what was, unless the application has changed it meanwhile. */
static int restore(WsgiBody *body)
{
    if (body->variable != py_active)
        return leave(body->record, body->before);
    PyObject *now = NULL;
    if (PyContextVar_Get(body->variable, NULL, &now) < 0)
        return -1;
    int failed = now == body->current ? set_variable(body->variable, body->before) : 0;
    Py_XDECREF(now);
    return failed;
}

static PyObject *next_chunk(PyObject *self)
{
    WsgiBody *body = (WsgiBody *)self;
    Record *record = body->record;
    if (body->is_over)
        return NULL;
    if (body->before == NULL && PyContextVar_Get(body->variable, NULL, &body->before) < 0)
        return NULL;
    /* Without a span once for all chunks: what servers do between them asks for no request. */
    int is_first = body->iterator == NULL, has_span = body->variable == py_active;
    if ((has_span ? is_first || !record->is_finished : is_first && body->before != body->current) &&
        set_variable(body->variable, body->current) < 0)
        return NULL;
    if (body->iterator == NULL)
        body->iterator = PyObject_GetIter(record->body);
    PyObject *chunk =
        body->iterator == NULL ? NULL : Py_TYPE(body->iterator)->tp_iternext(body->iterator);
    if (chunk != NULL) {
        /* The server's own work between two chunks is not the request's. */
        int failed = has_span ? set_variable(py_active, body->before) : 0;
        Py_ssize_t size = failed ? -1 : PyObject_Size(chunk);
        if (size < 0) {
            Py_DECREF(chunk);
            chunk = NULL;
        } else {
            record->response_bytes += size;
            return chunk;
        }
    }
    body->is_over = 1;
    if (PyErr_ExceptionMatches(PyExc_StopIteration))
        PyErr_Clear();
    PyObject *kind, *error, *traceback;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_GeneratorExit))
            end_raised(record, "aborted_stream");
        PyErr_Fetch(&kind, &error, &traceback);
        if (restore(body) < 0)
            PyErr_Clear();
        PyErr_Restore(kind, error, traceback);
        return NULL;
    }
    if (restore(body) < 0)
        return NULL;
    PyObject *done = finish(record);
    Py_XDECREF(done);
    return NULL;
}

PyTypeObject WsgiBodyType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "wf_instrument.speed._compiled.WsgiBody",
    .tp_basicsize = sizeof(WsgiBody),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = visit_body,
    .tp_clear = clear_body,
    .tp_dealloc = free_body,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = next_chunk,
};

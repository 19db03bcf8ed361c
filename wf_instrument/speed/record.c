/* Begin and end of a request, whatever its server speaks; short cuts of
 * wf_instrument.web.request and of the span's own `finish_after`.
 */
#include "speed.h"

int swallow(const char *where)
{
    PyObject *kind, *error, *traceback;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Fetch(&kind, &error, &traceback);
    PyErr_NormalizeException(&kind, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *done = PyObject_CallFunction(py_caught, "sO", where, error);
    if (done == NULL)
        PyErr_Clear(); /* `caught` never raises but for want of memory or stack */
    Py_XDECREF(done);
    Py_XDECREF(kind);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return 0;
}

int set_variable(PyObject *variable, PyObject *value)
{
    PyObject *token = PyContextVar_Set(variable, value);
    if (token == NULL)
        return -1;
    Py_DECREF(token);
    return 0;
}

/* Whether what a context holds still tells of a request; as `is_serving` of web.current. */
int is_serving(PyObject *held)
{
    if (held == Py_None)
        return 0;
    if (IS_RECORD(held))
        return !((Record *)held)->is_finished;
    PyObject *request = PyObject_GetAttr(held, s_served_request);
    PyObject *finished = absent(request) ? NULL : PyObject_GetAttr(request, s_is_finished);
    Py_XDECREF(request);
    Py_XDECREF(finished);
    return PyErr_Occurred() ? -1 : finished == Py_False;
}

/* Put back what a request without a span was served within; as `WsgiRequest.leave`. */
int leave(Record *record, PyObject *outer)
{
    int serves = outer == (PyObject *)record ? 0 : is_serving(outer);
    if (serves < 0 && swallow("current.serving") < 0)
        return -1;
    if (serves <= 0 && absent(record->error))
        return 0;
    return set_variable(py_spanless, outer == (PyObject *)record ? Py_None : outer);
}

static unsigned int version_of(PyTypeObject *type)
{
#if PY_VERSION_HEX < 0x030C0000
    if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG))
        return 0;
#endif
    return type->tp_version_tag;
}

/* `self.name`, a method of its class: made without a look-up while the class stays what it was.
 * Instances have nothing of their own by such names.
 */
PyObject *bound(PyObject *self, PyObject *name, Bound *known)
{
    PyTypeObject *type = Py_TYPE(self);
    unsigned int version = version_of(type);
    if (version != 0 && known->type == type && known->version == version)
        return known->of_c != NULL ? PyCFunction_New(known->of_c, self)
                                   : PyMethod_New(known->function, self);
    PyObject *method = PyObject_GetAttr(self, name);
    known->type = NULL;
    version = version_of(type); /* the look-up may have given it one */
    if (method == NULL || version == 0)
        return method;
    PyObject *own = PyObject_GetAttr((PyObject *)type, name);
    /* Borrowed of the class, which another version would tell of. */
    if (own == NULL)
        PyErr_Clear();
    else if (PyMethod_Check(method) && PyMethod_GET_FUNCTION(method) == own &&
             PyMethod_GET_SELF(method) == self)
        *known = (Bound){type, version, own, NULL};
    else if (PyCFunction_CheckExact(method) && PyCFunction_GET_SELF(method) == self &&
             Py_TYPE(own) == &PyMethodDescr_Type &&
             ((PyMethodDescrObject *)own)->d_method == ((PyCFunctionObject *)method)->m_ml)
        *known = (Bound){type, version, NULL, ((PyCFunctionObject *)method)->m_ml};
    Py_XDECREF(own);
    return method;
}

/* Draw both ids at once, the lowest bits first: of a generator that makes them 32 by 32, as
 * `random.Random` does, they are the same as 128 and then 64 would be.
 */
static int draw(PyObject *bits, uint64_t ids[3])
{
    unsigned char bytes[24];
    PyObject *drawn = PyObject_CallOneArg(bits, n_192);
    if (drawn == NULL)
        return -1;
    if (!PyLong_Check(drawn)) {
        PyErr_SetString(PyExc_TypeError, "random bits should be a whole number");
        Py_DECREF(drawn);
        return -1;
    }
#if PY_VERSION_HEX >= 0x030D0000
    int failed = PyLong_AsNativeBytes(drawn, bytes, sizeof(bytes),
                                      Py_ASNATIVEBYTES_LITTLE_ENDIAN |
                                          Py_ASNATIVEBYTES_UNSIGNED_BUFFER) < 0;
#else
    int failed = _PyLong_AsByteArray((PyLongObject *)drawn, bytes, sizeof(bytes), 1, 0);
#endif
    Py_DECREF(drawn);
    for (int i = 0; i < 3 && !failed; i++) {
        ids[i] = 0;
        for (int byte = 7; byte >= 0; byte--)
            ids[i] = ids[i] << 8 | bytes[8 * i + byte];
    }
    return failed ? -1 : 0;
}

/* Start the server span of a request that nobody traces yet; as `tracer.start_root`. */
int begin_span(Record *record, Recorder *recorder)
{
    PyObject *tracer = recorder->tracer;
    if (Py_TYPE(tracer) != (PyTypeObject *)py_tracer_class || !((Tracer *)tracer)->keeps_all) {
        PyObject *span = PyObject_CallMethod(tracer, "start_root", "OLO", record->method,
                                             record->started_ns, record);
        put(&record->span, span);
        Py_XDECREF(span);
        return span == NULL ? -1 : 0;
    }
    /* Looked up at each call, as the twin does: tests seed the ids. */
    PyObject *bits = PyDict_GetItemWithError(py_ids, s_bits);
    if (bits == NULL)
        return -1;
    Py_INCREF(bits);
    uint64_t ids[3];
    int failed = draw(bits, ids);
    Py_DECREF(bits);
    PyTypeObject *type = (PyTypeObject *)py_span_class;
    Span *span = failed ? NULL : (Span *)type->tp_new(type, NULL, NULL);
    if (span == NULL)
        return -1;
    /* Never all zero. */
    span->trace_low = ids[0] || ids[1] ? ids[0] : 1;
    span->trace_high = ids[1];
    span->span_id = ids[2] ? ids[2] : 1;
    put(&span->tracer, tracer);
    put(&span->operation_name, record->method);
    put(&span->tag_source, (PyObject *)record);
    put(&span->decision, Py_True);
    span->start_ns = record->started_ns;
    put(&record->span, (PyObject *)span);
    Py_DECREF(span);
    return 0;
}

/* Hand a span to what takes it; as `SpanBuffer.report` where there is room. */
static int take_span(PyObject *take, PyObject *span)
{
    if (PyMethod_Check(take) && PyMethod_GET_FUNCTION(take) == py_report_span &&
        IS_BUFFER(PyMethod_GET_SELF(take))) {
        Buffer *buffer = (Buffer *)PyMethod_GET_SELF(take);
        if (buffer->spans != NULL && PyList_CheckExact(buffer->spans) &&
            PyList_GET_SIZE(buffer->spans) < buffer->max_spans)
            return PyList_Append(buffer->spans, span);
    }
    PyObject *done = PyObject_CallOneArg(take, span);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* End a span; as `WavefrontSpan.finish_after`. */
static int end_span(Span *span, long long duration_ns)
{
    if (span->is_finished)
        return 0;
    span->is_finished = 1;
    span->duration_ns = duration_ns;
    Tracer *tracer = (Tracer *)span->tracer;
    if (!absent(tracer->red_metrics)) {
        PyObject *done = PyObject_CallMethod(tracer->red_metrics, "record", "O", span);
        if (done == NULL)
            return -1;
        Py_DECREF(done);
    }
    PyObject *take = tracer->take;
    if (take == NULL) {
        PyErr_SetString(PyExc_AttributeError, "take");
        return -1;
    }
    Py_INCREF(take);
    int failed = take_span(take, (PyObject *)span);
    Py_DECREF(take);
    return failed;
}

PyObject *span_finish_after(PyObject *self, PyObject *duration)
{
    Span *span = (Span *)self;
    /* Of the very class: what inherits it may have names of its own in the place of fields. */
    if (span->decision == Py_False || span->tracer == NULL ||
        Py_TYPE(span->tracer) != (PyTypeObject *)py_tracer_class || !PyLong_CheckExact(duration))
        return PyObject_CallFunctionObjArgs(py_span_finish_after, self, duration, NULL);
    long long duration_ns = PyLong_AsLongLong(duration);
    if ((duration_ns == -1 && PyErr_Occurred()) || end_span(span, duration_ns) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* End the request's span; as `RequestRecord._finish_span` where nobody decides late. */
static int finish_span(Record *record, Handle *handle, long long latency_ns,
                       PyObject *const url[4])
{
    Span *span = (Span *)record->span;
    if (span->operation_name == record->method && !absent(handle->func) &&
        PyObject_IsTrue(handle->func) > 0)
        put(&span->operation_name, handle->func);
    else if (span->operation_name == record->method) {
        PyObject *unknown = PyUnicode_InternFromString("UNKNOWN");
        put(&span->operation_name, unknown);
        Py_XDECREF(unknown);
    }
    if (url[0] != NULL && absent(record->known_target) && span->tag_source == (PyObject *)record)
        keep_facts(span, record, url);
    if (end_span(span, latency_ns) < 0)
        return -1;
    if (absent(record->cell) || span->decision != Py_True)
        return 0;
    int bits = 0;
    for (unsigned long long rest = latency_ns < 0 ? 0 : latency_ns; rest; rest >>= 1)
        bits++;
    PyObject *bucket = PyLong_FromLong(bits);
    if (bucket == NULL)
        return -1;
    int failed = PyObject_SetItem(((Cell *)record->cell)->exemplars, bucket, (PyObject *)span);
    Py_DECREF(bucket);
    return failed;
}

/* Whether requests of this path are not to be recorded; -1 on error. */
int is_excluded(Recorder *recorder, PyObject *path)
{
    if (absent(recorder->excluded))
        return 0;
    PyObject *match =
        path == NULL ? NULL : PyObject_CallMethodOneArg(recorder->excluded, s_search, path);
    Py_XDECREF(match);
    return match == NULL ? -1 : match != Py_None;
}

/* Whether the twin has nothing to do for the end of a request but what is done here. */
int is_ordinary_end(Record *record, Recorder *recorder)
{
    if (!absent(recorder->extras) || !absent(record->outcome) || !absent(record->error) ||
        !absent(record->dimensions) || !absent(record->thread_cpu_ns) || recorder->keeps_query ||
        record->status == 0 || record->status == 404 || record->handle == NULL ||
        !IS_HANDLE(record->handle))
        return 0;
    if (!absent(recorder->cpu_clock) && recorder->cpu_clock != py_thread_time_ns)
        return 0;
    if (absent(record->span))
        return 1;
    Span *span = (Span *)record->span;
    Handle *handle = (Handle *)record->handle;
    return Py_TYPE(span) == (PyTypeObject *)py_span_class && span->decision == Py_True &&
           span->tracer != NULL && Py_TYPE(span->tracer) == (PyTypeObject *)py_tracer_class &&
           (!handle->decides_late || !absent(handle->quiet_paths));
}

/* Whether a request that no route tells is one whose span is not kept: 1 also for what is odd. */
int is_quiet(Record *record, PyObject *path)
{
    Handle *handle = (Handle *)record->handle;
    if (!handle->decides_late)
        return 0;
    int is_known =
        path != NULL && PyAnySet_Check(handle->quiet_paths) ? PySet_Contains(handle->quiet_paths,
                                                                            path)
                                                            : 1;
    if (is_known < 0)
        PyErr_Clear(); /* the twin meets it too, and says so */
    return is_known != 0;
}

/* Append the figures of an ended request to its cell. */
static int record_sample(Record *record, Recorder *recorder, Handle *handle, long long cpu_ns)
{
    PyObject *status = PyLong_FromLongLong(record->status);
    if (status == NULL)
        return -1;
    PyObject *found = PyDict_GetItemWithError(handle->cells, status);
    Py_XINCREF(found);
    if (found == NULL && !PyErr_Occurred())
        found = PyObject_CallMethod((PyObject *)handle, "cell", "OOO", status, Py_None, Py_None);
    Py_DECREF(status);
    if (found == NULL)
        return -1;
    Cell *cell = (Cell *)found;
    long long start_ns = record->started_mono_ns;
    if (Py_TYPE(cell->samples) != &SamplesType) {
        PyErr_SetString(PyExc_TypeError, "a cell's samples should be Samples");
        Py_DECREF(found);
        return -1;
    }
    Samples *samples = (Samples *)cell->samples;
    int failed = add_sample(
        samples, (Sample){{record->ended_mono_ns - start_ns, cpu_ns,
                           record->first_byte_ns ? record->first_byte_ns - start_ns : ABSENT,
                           record->request_bytes, record->response_bytes}});
    if (!failed && record->queued_ns >= 0) {
        PyObject *queued = PyLong_FromLongLong(record->queued_ns);
        failed = queued == NULL || PyList_Append(cell->queued_ns, queued) < 0;
        Py_XDECREF(queued);
    }
    put(&record->cell, found);
    Py_DECREF(found);
    /* After the append: a drain that unlisted the cell before may not have seen it. */
    if (!failed && !cell->is_listed) {
        PyObject *done =
            PyObject_CallMethodObjArgs((PyObject *)recorder, s_list_cell, found, NULL);
        failed = done == NULL;
        Py_XDECREF(done);
    }
    if (!failed && samples->count >= recorder->fold_after) {
        PyObject *done = PyObject_CallMethodObjArgs(recorder->pipeline, s_wake, NULL);
        failed = done == NULL;
        Py_XDECREF(done);
    }
    return failed ? -1 : 0;
}

/* Record a request whose `is_finished` and end were just set, and that is an ordinary one. */
PyObject *end_record(Record *record, Recorder *recorder, long long cpu_ns,
                     PyObject *const url[4])
{
    Handle *handle = (Handle *)record->handle;
    Py_INCREF(handle);
    for (int i = 0; i < 4; i++)
        Py_XINCREF(url[i]); /* borrowed of what the application may change meanwhile */
    int failed = 0;
    if (recorder->metrics && handle->counts)
        failed = record_sample(record, recorder, handle, cpu_ns);
    if (!failed && !absent(record->span))
        failed = finish_span(record, handle, record->ended_mono_ns - record->started_mono_ns,
                             url);
    Py_DECREF(handle);
    for (int i = 0; i < 4; i++)
        Py_XDECREF(url[i]);
    if (failed)
        failed = swallow("request.finish");
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    if (PySet_Check(recorder->live) && PySet_Discard(recorder->live, (PyObject *)record) < 0)
        PyErr_Clear();
    PyErr_Restore(kind, error, traceback);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* The meter of a coroutine's steps; a short cut of wf_instrument.web.steps.stepped, and of what
 * `AsgiTelemetry` does around the application's own coroutine.
 */
#include "speed.h"

typedef struct {
    PyObject_HEAD
    PyObject *coroutine;
    Record *record;
    /* Set while the request is to be ended after the last step. */
    PyObject *variable, *before;
    char is_begun, is_over, is_running;
} Stepped;

/* Let go of what is not asked for any more: a timer of the server may keep its context, with us in
 * it, for seconds.
 */
static void let_go(Stepped *stepped)
{
    stepped->is_over = 1;
    Py_CLEAR(stepped->coroutine);
    Py_CLEAR(stepped->record);
}

static int end_request(Stepped *stepped)
{
    if (stepped->before == NULL)
        return 0;
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    int failed = stepped->variable == py_active ? set_variable(py_active, stepped->before)
                                                : leave(stepped->record, stepped->before);
    Py_CLEAR(stepped->before);
    if (failed == 0)
        failed = asgi_returned(stepped->record);
    if (failed < 0 && kind == NULL)
        return -1;
    if (failed < 0)
        PyErr_Clear(); /* the application's exception is the one to go on with */
    PyErr_Restore(kind, error, traceback);
    return 0;
}

/* Tell the request of the exception that left the application, which stays pending. */
static void tell_escaped(Stepped *stepped)
{
    PyObject *kind, *error, *traceback;
    if (stepped->before == NULL)
        return;
    PyErr_Fetch(&kind, &error, &traceback);
    PyErr_NormalizeException(&kind, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *done = PyObject_CallMethod((PyObject *)stepped->record, "escaped", "O", error);
    if (done == NULL && swallow("asgi.escaped") < 0)
        PyErr_Clear(); /* as above */
    Py_XDECREF(done);
    PyErr_Restore(kind, error, traceback);
}

static void begin_step(Stepped *stepped)
{
    Record *record = stepped->record;
    if (stepped->is_begun) {
        stepped->is_begun = 0;
    } else {
        record->step_ns = MONO_NS();
        if (!record->is_finished)
            record->step_cpu_ns = THREAD_NS();
    }
    record->is_stepping = 1;
    stepped->is_running = 1;
}

static void end_step(Stepped *stepped)
{
    Record *record = stepped->record;
    record->is_stepping = 0;
    stepped->is_running = 0;
    long long held_ns = MONO_NS() - record->step_ns;
    if (held_ns > record->longest_step_ns)
        record->longest_step_ns = held_ns;
    if (!record->is_finished)
        record->cpu_ns += THREAD_NS() - record->step_cpu_ns;
}

/* As coroutines answer who resumes them out of themselves. */
static int is_executing(Stepped *stepped)
{
    if (stepped->is_running)
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    return stepped->is_running;
}

static PySendResult resume_stepped(PyObject *self, PyObject *value, PyObject **result)
{
    Stepped *stepped = (Stepped *)self;
    *result = NULL;
    if (stepped->is_over) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    if (is_executing(stepped))
        return PYGEN_ERROR;
    begin_step(stepped);
    PySendResult state = PyIter_Send(stepped->coroutine, value, result);
    end_step(stepped);
    if (state == PYGEN_NEXT)
        return state;
    stepped->is_over = 1;
    if (state == PYGEN_ERROR)
        tell_escaped(stepped);
    if (end_request(stepped) < 0) {
        Py_CLEAR(*result);
        state = PYGEN_ERROR;
    }
    let_go(stepped);
    return state;
}

static PyObject *stepped_next(PyObject *self)
{
    return next_of(self, Py_None, resume_stepped, 1);
}

static PyObject *stepped_send(PyObject *self, PyObject *value)
{
    return next_of(self, value, resume_stepped, 0);
}

static PyObject *stepped_throw(PyObject *self, PyObject *args)
{
    Stepped *stepped = (Stepped *)self;
    if (stepped->is_over)
        return raise_given(args);
    if (is_executing(stepped))
        return NULL;
    PyObject *throw = PyObject_GetAttr(stepped->coroutine, s_throw);
    if (throw == NULL)
        return NULL;
    begin_step(stepped);
    PyObject *yielded = PyObject_CallObject(throw, args);
    end_step(stepped);
    Py_DECREF(throw);
    if (yielded != NULL)
        return yielded;
    stepped->is_over = 1;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        tell_escaped(stepped);
    end_request(stepped);
    let_go(stepped);
    return NULL;
}

static PyObject *stepped_close(PyObject *self, PyObject *unused)
{
    Stepped *stepped = (Stepped *)self;
    if (stepped->is_over)
        Py_RETURN_NONE;
    if (is_executing(stepped))
        return NULL;
    stepped->is_over = 1;
    PyObject *done = PyObject_CallMethodObjArgs(stepped->coroutine, s_close, NULL);
    if (stepped->before != NULL && done == NULL) {
        tell_escaped(stepped); /* what the application raised in place of GeneratorExit */
        end_request(stepped);
    } else if (stepped->before != NULL) {
        /* As when GeneratorExit passes `AsgiTelemetry.__call__`. */
        PyObject *kind, *error, *traceback;
        PyErr_Fetch(&kind, &error, &traceback);
        PyErr_SetNone(PyExc_GeneratorExit);
        tell_escaped(stepped);
        end_request(stepped);
        PyErr_Clear();
        PyErr_Restore(kind, error, traceback);
    }
    let_go(stepped);
    return done;
}

static int visit_stepped(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Stepped *)self)->coroutine);
    Py_VISIT(((Stepped *)self)->record);
    Py_VISIT(((Stepped *)self)->before);
    return 0;
}

static int clear_stepped(PyObject *self)
{
    ((Stepped *)self)->is_over = 1; /* what else is garbage may still ask it */
    Py_CLEAR(((Stepped *)self)->coroutine);
    Py_CLEAR(((Stepped *)self)->record);
    Py_CLEAR(((Stepped *)self)->before);
    return 0;
}

/* As those of `Sending`. */
static Stepped *spare[4];
static int spares;

static void free_stepped(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    clear_stepped(self);
    if (spares < (int)(sizeof(spare) / sizeof(spare[0])))
        spare[spares++] = (Stepped *)self;
    else
        PyObject_GC_Del(self);
}

static PyMethodDef stepped_methods[] = {
    {"send", stepped_send, METH_O, NULL},
    {"throw", stepped_throw, METH_VARARGS, NULL},
    {"close", stepped_close, METH_NOARGS, NULL},
    {NULL},
};

/* What the context variable asks of its value; as `Held` of wf_instrument.web.current. */
static PyMemberDef stepped_members[] = {
    {"served_request", T_OBJECT, offsetof(Stepped, record), READONLY, NULL},
    {NULL},
};

static PyAsyncMethods stepped_async = {.am_await = PyObject_SelfIter, .am_send = resume_stepped};

PyTypeObject SteppedType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "wf_instrument.speed._compiled.Stepped",
    .tp_basicsize = sizeof(Stepped),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = visit_stepped,
    .tp_clear = clear_stepped,
    .tp_dealloc = free_stepped,
    .tp_as_async = &stepped_async,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = stepped_next,
    .tp_methods = stepped_methods,
    .tp_members = stepped_members,
};

static Stepped *new_stepped(PyObject *coroutine, PyObject *record)
{
    Stepped *stepped = spares == 0
                           ? PyObject_GC_New(Stepped, &SteppedType)
                           : (Stepped *)PyObject_Init((PyObject *)spare[--spares], &SteppedType);
    if (stepped == NULL)
        return NULL;
    Py_INCREF(coroutine);
    Py_INCREF(record);
    stepped->coroutine = coroutine;
    stepped->record = (Record *)record;
    stepped->variable = stepped->before = NULL;
    stepped->is_begun = stepped->is_over = stepped->is_running = 0;
    PyObject_GC_Track(stepped);
    return stepped;
}

/* stepped(coroutine, record): drive a coroutine, metering its steps into the record. */
PyObject *make_stepped(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "stepped() takes a coroutine and a record");
        return NULL;
    }
    if (!PyCoro_CheckExact(args[0]) || !IS_RECORD(args[1]))
        return PyObject_Vectorcall(py_stepped, args, count, NULL);
    return (PyObject *)new_stepped(args[0], args[1]);
}

/* driver.asgi_serve(scope, receive, send): what `AsgiTelemetry.__call__` awaits for an ordinary
 * request; None where the twin is to serve it.
 */
PyObject *asgi_serve(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *begun = asgi_begin(self, args, count);
    if (begun == Py_None)
        return begun;
    if (begun == NULL) {
        if (swallow("asgi.begin") < 0)
            return NULL;
        return PyObject_Vectorcall(((Driver *)self)->app, args, count, NULL);
    }
    Record *record = (Record *)begun;
    PyObject *variable = absent(record->span) ? py_spanless : py_active;
    static Bound known_receive, known_send;
    PyObject *receive = bound(begun, s_receive, &known_receive);
    PyObject *send = bound(begun, s_send, &known_send);
    PyObject *called = NULL, *driven = NULL;
    Stepped *stepped = new_stepped(Py_None, begun);
    if (stepped == NULL || receive == NULL || send == NULL ||
        PyContextVar_Get(variable, NULL, &stepped->before) < 0 ||
        set_variable(variable, absent(record->span) ? (PyObject *)stepped : record->span) < 0) {
        Py_CLEAR(stepped);
        goto done;
    }
    stepped->variable = variable;
    stepped->is_begun = 1;
    PyObject *call[3] = {args[0], receive, send};
    called = PyObject_Vectorcall(((Driver *)self)->app, call, 3, NULL);
    /* Also what fails at once is told of and ended as if in a first step. */
    driven = called != NULL && !PyCoro_CheckExact(called)
                 ? PyObject_CallOneArg(py_as_coroutine, called)
                 : called;
    if (driven == called)
        Py_XINCREF(driven);
    if (driven == NULL) {
        tell_escaped(stepped);
        end_request(stepped);
        let_go(stepped);
        Py_CLEAR(stepped);
    } else {
        put(&stepped->coroutine, driven);
    }
done:
    Py_XDECREF(receive);
    Py_XDECREF(send);
    Py_XDECREF(called);
    Py_XDECREF(driven);
    Py_DECREF(begun);
    return (PyObject *)stepped;
}

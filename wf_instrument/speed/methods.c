/* A short cut that looks like the coroutine function it stands for: asgiref and others ask
 * `inspect.iscoroutinefunction` before they call, and warn of what is none.
 */
#include "speed.h"

/* The record and one argument are for the short cut, all else is for the twin. */
static PyObject *call_method(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    Method *method = (Method *)self;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count == 2 && names == NULL && method->direct != NULL && IS_RECORD(args[0]))
        return method->direct(args[0], args[1]);
    if (count == 2 && names == NULL)
        return PyObject_Vectorcall(method->short_cut, args, count, NULL);
    return PyObject_Vectorcall(method->twin, args, count, names);
}

static PyObject *bind_method(PyObject *self, PyObject *object, PyObject *type)
{
    if (!absent(object))
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

static void free_method(PyObject *self)
{
    Method *method = (Method *)self;
    Py_XDECREF(method->short_cut);
    Py_XDECREF(method->twin);
    Py_XDECREF(method->attributes);
    PyObject_Free(self);
}

PyTypeObject MethodType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "wf_instrument.speed._compiled.Method",
    .tp_basicsize = sizeof(Method),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_dealloc = free_method,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Method, call),
    .tp_dictoffset = offsetof(Method, attributes),
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_descr_get = bind_method,
};

static PyObject *make_method(vectorcallfunc call, PyObject *const *args, Py_ssize_t count)
{
    /* What `inspect` asks of a function that is none of Python's own. */
    static const char *const names[] = {"__name__", "__qualname__", "__module__", "__doc__",
                                        "__code__", "__defaults__", "__kwdefaults__",
                                        "__annotations__"};
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "a short cut and its twin are wanted");
        return NULL;
    }
    Method *method = PyObject_New(Method, &MethodType);
    if (method == NULL)
        return NULL;
    method->call = call;
    method->direct = NULL;
    if (Py_TYPE(args[0]) == &PyMethodDescr_Type) {
        PyMethodDescrObject *short_cut = (PyMethodDescrObject *)args[0];
        if (PyDescr_TYPE(short_cut) == &RecordType && short_cut->d_method->ml_flags == METH_O)
            method->direct = short_cut->d_method->ml_meth;
    }
    method->short_cut = args[0];
    method->twin = args[1];
    Py_INCREF(args[0]);
    Py_INCREF(args[1]);
    int failed = (method->attributes = PyDict_New()) == NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !failed; i++) {
        PyObject *value = PyObject_GetAttrString(args[1], names[i]);
        failed = value == NULL || PyDict_SetItemString(method->attributes, names[i], value) < 0;
        Py_XDECREF(value);
    }
    /* And what decorators left on it. */
    PyObject *further = failed ? NULL : PyObject_GetAttrString(args[1], "__dict__");
    if (further == NULL || PyDict_Update(method->attributes, further) < 0)
        Py_CLEAR(method);
    Py_XDECREF(further);
    return (PyObject *)method;
}

/* coroutine_method(short_cut, twin): a method that calls the one and looks like the other. */
PyObject *coroutine_method(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return make_method(call_method, args, count);
}

/* noting_method(handle, twin): as `noted` of integrations._starlette_routes, which is the twin. */
PyObject *noting_method(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return make_method(call_noted, args, count);
}
